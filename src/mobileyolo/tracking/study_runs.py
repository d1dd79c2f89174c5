"""The run of a study: the parent of its trials' runs, with what they have found."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mobileyolo.tracking.endings import STUDY, ending, origin_tags
from mobileyolo.tracking.run_writer import RunWriter
from mobileyolo.tracking.store import active_experiments, open_existing_store
from mobileyolo.tracking.store_errors import StoreErrorsAsWarnings

TABLE_FILE = "study.csv"
_PARENT = "mlflow.parentRunId"
_CONSEQUENCE = "its results are safe. The same command tries again."


class StudyRun:
    """The run of one study. No method raises an error because of the store; the first one is warned about.

    It stands where its trials' runs stand, so there is none before the first of them.
    """

    def __init__(self, name: str) -> None:
        """Take the name; nothing is read or written.

        Args:
            name: of the study, and of its run.
        """
        self.failure = ""  # why the study has failed, once that is known
        self._name = name
        self._errors_as_warnings = StoreErrorsAsWarnings(_CONSEQUENCE)
        self._run: RunWriter | None = None
        self._run_id = ""
        self._answered: set[str] = set()  # searches whose runs are children now: a trial that has ended gets no more

    def log(self, trials: Mapping[str, Collection[str]], description: str, table: str) -> None:
        """Make the trials' runs children of this one, and keep what was found so far.

        A run that is another study's child stays that.

        Args:
            trials: by the name of their experiment, the digests of the weights that they have; those that another
                trial or the workspace has trained are among them.
            description: in Markdown.
            table: as CSV.
        """
        with self._errors_as_warnings(f"logging {self._name}"):
            client = open_existing_store()
            experiments = active_experiments(client)
            wanted = {f"tags.\"weights.digest\" = '{digest}'" for digests in trials.values() for digest in digests}
            wanted |= {f"tags.\"dvc.exp\" = '{trial}'" for trial in trials}
            found = {each: client.search_runs(experiments, each) for each in sorted(wanted - self._answered)}
            children = [run for runs in found.values() for run in runs]
            if self._run is None and not children:
                return
            run = self._opened(client, experiments, children[0].info.experiment_id if children else "")
            for child in children:
                if _PARENT not in child.data.tags:
                    client.set_tag(child.info.run_id, _PARENT, self._run_id)
            self._answered |= {each for each, runs in found.items() if runs}
            run.keep_text(table, TABLE_FILE)
            run.set_tags({"mlflow.note.content": description})

    def end(self, status: str, reason: str = "") -> None:
        """Set the final status: FINISHED, FAILED or KILLED, and the reason of the last two."""
        if self._run is not None:
            with self._errors_as_warnings(f"ending {self._name}"):
                self._run.end(status, reason)

    def _opened(self, client: MlflowClient, experiments: list[str], experiment: str) -> RunWriter:
        """This study's run, which is RUNNING until it is ended; the one that the same command has left goes on."""
        if self._run is None:
            found: list[Run] = client.search_runs(experiments, f"tags.\"{STUDY}\" = '{self._name}'", max_results=1)
            tags = {**origin_tags(), STUDY: self._name, "mlflow.source.name": "mobileyolo study"}
            run = found[0] if found else client.create_run(experiment, run_name=self._name, tags=tags)
            self._run_id = run.info.run_id
            self._run = RunWriter(client, self._run_id)
            if found:
                self._run.resume()
                self._run.set_tags(tags)
        return self._run


@contextmanager
def study_run(name: str) -> Iterator[StudyRun]:
    """The run of a study that goes on as long as the block; FAILED if an error or `StudyRun.failure` says so."""
    run = StudyRun(name)
    try:
        yield run
    except BaseException as error:
        run.end(*ending(error))
        raise
    run.end("FAILED" if run.failure else "FINISHED", run.failure)
