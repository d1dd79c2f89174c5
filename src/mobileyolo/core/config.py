"""params.yaml: the strict base of its sections, and its only reader.

Each wing defines the section that it reads; `mobileyolo.parameters` combines them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from mobileyolo.core.backbones import spec_of
from mobileyolo.core.errors import ConfigError, StageError

PARAMS_FILE = Path("params.yaml")
# Any stage may read the dataset's path without declaring it: results depend on its content (data/dataset.yaml) only.
PLACES = frozenset({"data.dir"})


class Section(BaseModel):
    """Base of every section: an unknown key, a wrong type or a later assignment is an error.

    Attributes:
        key: the section's name in params.yaml.
        whole: does the class define all keys of the section?
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    key: ClassVar[str] = ""
    whole: ClassVar[bool] = True


AnySection = TypeVar("AnySection", bound=Section)

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Weight = Annotated[float, Field(ge=0)]  # of a loss
ImageSize = Annotated[int, Field(ge=32, multiple_of=32)]  # pixels


def _seeds(values: object) -> object:
    if not isinstance(values, list):
        raise ValueError(f"input should be a list of whole numbers, such as [{values if type(values) is int else 0}]")
    if any(values[:place].count(seed) for place, seed in enumerate(values)):
        raise ValueError("a seed occurs twice")
    return tuple(values)


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seeds), Field(min_length=1)]


def _known_backbone(name: object) -> object:
    spec_of(name if isinstance(name, str) else "")
    return name


BackboneName = Annotated[str, BeforeValidator(_known_backbone)]


class Data(Section):
    """Path of the dataset. A change of its content trains again; a change of the path alone does not."""

    key: ClassVar[str] = "data"
    whole: ClassVar[bool] = False  # the other key is in dataset/parameters.py

    dir: Annotated[str, Field(min_length=1)]


class Params:
    """The values of params.yaml that a stage has declared in dvc.yaml; reading any other one is an error."""

    def __init__(self, values: Mapping[str, Any], file: Path, declared: Collection[str] | None = None) -> None:
        """Take what was read.

        Args:
            values: all of the file.
            file: where it was read from, for messages.
            declared: keys that may be read, such as `train.epochs`, or `train` for the whole section; None for all.
        """
        self._values = values
        self._file = file
        self._declared = declared

    def only(self, declared: Collection[str] | None) -> Params:
        """The same values, of which only these may be read; None for all."""
        return Params(self._values, self._file, declared)

    def section(self, kind: type[AnySection]) -> AnySection:
        """A section, or the part of it that `kind` defines.

        Raises:
            ConfigError: unknown keys or wrong values; the message names each key, its value and the choices.
            StageError: a key of it was not declared.
        """
        values = self._value(kind.key)
        own = {field.alias or name for name, field in kind.model_fields.items()}
        if isinstance(values, Mapping):
            values = {name: value for name, value in values.items() if kind.whole or name in own}
        for name in own:
            self._check_declared(f"{kind.key}.{name}")
        return validated(kind, values, self._file, kind.key)

    def get(self, key: str, kind: Any) -> Any:
        """One value, checked against a type.

        >>> params = Params({"train": {"epochs": "8"}}, PARAMS_FILE)
        >>> params.get("train.epochs", int)
        Traceback (most recent call last):
        mobileyolo.core.errors.ConfigError: params.yaml: train.epochs: '8': input should be a valid integer

        Raises:
            ConfigError: it is missing or of another type.
            StageError: it was not declared.
        """
        self._check_declared(key)
        try:
            return TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(self._value(key))
        except ValidationError as error:
            raise _config_error(error, self._file, key) from None

    @property
    def data_dir(self) -> str:
        """The dataset's folder, as it is written in params.yaml."""
        return self.section(Data).dir

    @property
    def values(self) -> Mapping[str, Any]:
        """All values of the file.

        Raises:
            StageError: only a part of it was declared.
        """
        if self._declared is not None:
            raise StageError(f"{self._file}: only {', '.join(sorted(self._declared)) or 'nothing'} was declared")
        return self._values

    def _check_declared(self, key: str) -> None:
        section = key.partition(".")[0]
        if self._declared is not None and not {key, section} & {*self._declared, *PLACES}:
            raise StageError(
                f"{key} was read, but dvc.yaml does not name it among this stage's params; after a change of it, DVC "
                "would call the stage up to date"
            )

    def _value(self, key: str) -> Any:
        value: Any = self._values
        for part in filter(None, key.split(".")):
            if not isinstance(value, Mapping) or part not in value:
                raise ConfigError(f"{self._file}: {key}: missing key")
            value = value[part]
        return value


class _Loader(yaml.SafeLoader):
    """PyYAML's safe one, but numbers are those of YAML 1.2: for `-S train.lr0=0.00001` DVC writes 1e-05."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_params(path: Path = PARAMS_FILE, declared: Collection[str] | None = None) -> Params:
    """Read params.yaml; a section is checked when it is read.

    Args:
        path: the file.
        declared: as for `Params`.

    Raises:
        ConfigError: the file is missing, or is not YAML with sections.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 -- as safe as its parent
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply; it has three levels") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(raw).__name__}")
    return Params(raw, path, declared)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key.

    >>> list(leaves({"seeds": [0], "train": {"epochs": 7}}))
    [('seeds', [0]), ('train.epochs', 7)]
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def validated(kind: type[AnySection], values: object, file: Path, key: str = "") -> AnySection:
    """Check values against a section.

    Args:
        kind: the section.
        values: what the file holds for it.
        file: for the message.
        key: key of the values in the file; "" for the whole file.

    Raises:
        ConfigError: unknown keys or wrong values, with a line for each.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _config_error(error, file, key, kind) from None


def _config_error(error: ValidationError, file: Path, key: str, kind: type[Section] | None = None) -> ConfigError:
    lines = [_describe(problem, key, kind) for problem in error.errors()]
    return ConfigError("\n".join(f"{file}: {line}" for line in lines))


def _describe(problem: Any, prefix: str, kind: type[Section] | None) -> str:
    """One of pydantic's error records as a line with key, value and choices."""
    location = list(problem["loc"])
    key = ".".join(str(part) for part in [*filter(None, [prefix]), *location])
    if problem["type"] == "extra_forbidden" and kind:
        known = _known_keys(kind, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{key}: unknown key; {hint}choose one of {', '.join(known)}"
    if problem["type"] == "missing":
        return f"{key}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    if not key:  # the message itself names the keys
        return str(message)
    return f"{key}: {problem['input']!r}: {message[0].lower()}{message[1:]}"


def _known_keys(kind: type[Section], location: list[Any]) -> list[str]:
    """Keys that the section at a location has."""
    section: Any = kind
    for part in location:
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        section = fields[part].annotation
    return [field.alias or name for name, field in section.model_fields.items()]
