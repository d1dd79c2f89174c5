"""The DVC experiments beside the last comparison, read from git alone: to import DVC takes longer than that."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from pydantic import ValidationError

from mobileyolo.core.files import COMPARISON_FILE, METRICS_FILE
from mobileyolo.verdict.records import Comparison, Headline

_SHOWN = 5  # experiments


@dataclass(frozen=True)
class Finished:
    """A DVC experiment of the present commit.

    Attributes:
        name: DVC's name for it.
        ended: when it did, UTC.
        lock: its dvc.lock.
        headline: what it found; None where an older version wrote it.
    """

    name: str
    ended: datetime
    lock: str
    headline: Headline | None


def beside(comparison: Comparison) -> str:
    """Lines on the experiment that the workspace's comparison is of, and on newer ones; "" where there are none.

    Args:
        comparison: the workspace's, as it lies in COMPARISON_FILE.
    """
    # As dvc.lock has it: MD5 of the file's bytes.
    digest = hashlib.md5(COMPARISON_FILE.read_bytes(), usedforsecurity=False).hexdigest()
    found = list(_experiments())
    own = [each for each in found if f"md5: {digest}\n" in each.lock]
    since = own[0].ended if own else datetime.fromisoformat(comparison.measured)
    newer = [each for each in found if each.ended > since and each not in own]
    lines = [f"This comparison is of the experiment {own[0].name}."] if own else []
    if newer:
        lines.append("Newer experiments; `dvc exp apply NAME` takes one over:")
        width = max(len(each.name) for each in newer[:_SHOWN])
        lines += [f"  {each.name:{width}}  {_found(each.headline)}".rstrip() for each in newer[:_SHOWN]]
        if len(newer) > _SHOWN:
            lines.append(f"  and {len(newer) - _SHOWN} more: dvc exp show")
    return "\n".join(lines)


def _found(headline: Headline | None) -> str:
    if headline is None:
        return ""
    provisional = ", provisional" if headline.provisional else ""
    interval = f"{headline.low:+.3f} to {headline.high:+.3f}"
    return f"{headline.verdict}{provisional}: {headline.delta:+.3f} ({interval}) mAP50-95"


def _experiments() -> Iterator[Finished]:
    """Those of the present commit, the last one first; none outside git."""
    try:
        head = _git("rev-parse", "HEAD").decode().strip()
        form = "--format=%(objectname) %(committerdate:unix) %(refname:lstrip=4)"
        listed = _git("for-each-ref", "--sort=-committerdate", form, f"refs/exps/{head[:2]}/{head[2:]}/").decode()
        found = [line.split(" ", 2) for line in listed.splitlines()]
        files = [f"{revision}:./{path}" for revision, _, _ in found for path in ("dvc.lock", METRICS_FILE.as_posix())]
        content = iter(_blobs(_git("cat-file", "--batch", given="\n".join([*files, ""]).encode())))
    except (OSError, subprocess.CalledProcessError):
        return
    for _, ended, name in found:
        lock, metrics = next(content), next(content)
        try:
            headline = Headline.model_validate_json(metrics)
        except ValidationError:
            headline = None
        yield Finished(name, datetime.fromtimestamp(int(ended), UTC), lock.decode(), headline)


def _blobs(told: bytes) -> Iterator[bytes]:
    """The files that `git cat-file --batch` tells; an empty one where there is none."""
    stream = BytesIO(told)
    while head := stream.readline():
        if head.endswith(b" missing\n"):
            yield b""
        else:
            yield stream.read(int(head.rsplit(b" ", 1)[1]))
            stream.readline()


def _git(*arguments: str, given: bytes | None = None) -> bytes:
    return subprocess.run(["git", *arguments], input=given, capture_output=True, check=True).stdout
