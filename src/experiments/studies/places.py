"""Which trials of a study count: exactly as many as are asked for, however many processes and machines are at work.

A trial takes a place when it is drawn, and keeps it unless it fails. The storage numbers the trials one after another,
the same for all who look, so a trial is trained only if fewer trials with lower numbers have a place than are asked
for. Numbers are given once, and a trial that has failed never gets its place back: no more are finished than asked for.
Where all places are taken, whoever has nothing to train waits until all are finished or one becomes free: nor are fewer
finished, as long as one process is left.

A place becomes free when the process of its trial is gone, and its trial is marked as failed. On its own machine, the
number of the process tells. A worker that an engine has started again knows its earlier trials by its name. Elsewhere a
heartbeat tells: each process writes into its trials once a minute, and a trial that has not changed for five is lost,
by the clock of whoever looks. A process that was lost in this way and comes back finds its trial failed, and what it
has found is dropped.
"""

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from src.experiments.studies.storage import WORKER, is_at_work, is_of_this_machine, this_worker

if TYPE_CHECKING:
    import optuna

BEAT_SECONDS, SILENT_SECONDS = 60.0, 300.0
"""How often a process writes into its trials, and after which silence they are lost."""
NAME, BEAT = "worker_name", "beat"
"""User attributes of a trial: the name of its worker, and its heartbeat."""


class Places:
    """The trials of a study that count, as one process sees and takes them.

    Parameters
    ----------
    study : optuna.Study
    wanted : int
        Trials that are to be finished.
    shared : bool
        Whether other processes may be at work on the study.
    name : str
        Of this process as an engine's worker; "" elsewhere.
    """

    def __init__(self, study: "optuna.Study", wanted: int, *, shared: bool, name: str = "") -> None:
        import optuna

        self.study, self.wanted, self.shared, self.name = study, wanted, shared, name
        self.states = optuna.trial.TrialState
        self.own: dict[int, optuna.Trial] = {}
        """Trials under way in this process."""
        self._to_resume: deque[optuna.trial.FrozenTrial] = deque()
        self._heard: dict[int, tuple[object, float]] = {}
        """Number of another process's trial -> its last heartbeat, and when it was first seen."""
        self._ended = threading.Event()
        if shared:
            threading.Thread(target=self._beat, daemon=True).start()

    def n_finished(self) -> int:
        """Return how many trials were trained, to the end or until they were pruned."""
        return len(self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE, self.states.PRUNED)))

    def n_under_way(self) -> int:
        """Return how many trials are being trained, wherever it is."""
        return len(self.study.get_trials(deepcopy=False, states=(self.states.RUNNING,)))

    def take(self) -> "optuna.Trial | None":
        """Draw a trial and take a place for it, after those that are to be resumed; None where no place is free."""
        import optuna

        if self._to_resume:
            return self._own(optuna.Trial(self.study, self._to_resume.popleft()._trial_id))
        if self.n_finished() + self.n_under_way() >= self.wanted:
            return None
        trial = self.study.ask()
        trial.set_user_attr(WORKER, this_worker())
        if self.name:
            trial.set_user_attr(NAME, self.name)
        before = [each for each in self.study.get_trials(deepcopy=False) if each.number < trial.number]
        if sum(each.state != self.states.FAIL for each in before) >= self.wanted:  # another one asked at the same time
            self.fail(trial.number)
            return None
        return self._own(trial)

    def fail(self, number: int) -> None:
        """Mark a trial as failed, unless it has ended in the meantime: its place is free."""
        from optuna.exceptions import UpdateFinishedTrialError

        with suppress(UpdateFinishedTrialError):
            self.study.tell(number, state=self.states.FAIL, skip_if_finished=True)

    def has_lost(self, number: int) -> bool:
        """Tell whether a trial has failed, because another process took this one for dead."""
        trials = self.study.get_trials(deepcopy=False, states=(self.states.FAIL,))
        return any(trial.number == number for trial in trials)

    def begin(self) -> None:
        """See to the trials of processes that are gone, when this one starts."""
        if self.shared:
            self.free_lost()
        else:
            self._resume_lost()

    def free_lost(self) -> None:
        """Free the places of trials whose processes are gone."""
        for trial in self.study.get_trials(deepcopy=False, states=(self.states.RUNNING,)):
            if trial.number not in self.own and self._is_gone(trial):
                self.fail(trial.number)

    def _resume_lost(self) -> None:
        """Take up the trials, as they were drawn, that a killed process had under way; those beyond the wanted fail."""
        lost = self.study.get_trials(deepcopy=False, states=(self.states.RUNNING,))
        n_free = max(0, self.wanted - self.n_finished())
        for trial in lost[n_free:]:
            self.fail(trial.number)
        self._to_resume.extend(lost[:n_free])

    def free_of(self, driver: str) -> None:
        """Free the places of an engine's workers, which were ended, by the driver that their names end with."""
        for trial in self.study.get_trials(deepcopy=False, states=(self.states.RUNNING,)):
            if str(trial.user_attrs.get(NAME, "")).endswith(driver):
                self.fail(trial.number)

    def close(self) -> None:
        """Free the own places whose trials were not finished: this process trains no more."""
        self._ended.set()
        if self.shared:
            for number in self.own:
                self.fail(number)
        self.own.clear()

    def _own(self, trial: "optuna.Trial") -> "optuna.Trial":
        self.own[trial.number] = trial
        return trial

    def _is_gone(self, trial: "optuna.trial.FrozenTrial") -> bool:
        """Tell whether the process of a trial is gone, as far as can be known from here."""
        if self.name and trial.user_attrs.get(NAME) == self.name:
            return True
        process, now = str(trial.user_attrs.get(WORKER, "")), monotonic()
        if is_of_this_machine(process):
            return not is_at_work(process)
        beat, since = self._heard.get(trial.number, (None, now))
        if trial.number not in self._heard or beat != trial.user_attrs.get(BEAT):
            beat, since = trial.user_attrs.get(BEAT), now
        self._heard[trial.number] = (beat, since)
        return now - since >= SILENT_SECONDS

    def _beat(self) -> None:
        """Write into the own trials every minute, until this process trains no more."""
        beats = 0
        while not self._ended.wait(BEAT_SECONDS):
            beats += 1
            for trial in list(self.own.values()):
                with suppress(Exception):  # it has just ended, or the storage is away: the next one may arrive
                    trial.set_user_attr(BEAT, beats)
