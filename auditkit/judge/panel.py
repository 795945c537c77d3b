"""The judges that one command names: those that read everything, those that read what is referred, and their consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from auditkit.errors import AuditError
from auditkit.judge.consensus import Rule, consensus_keys, consensus_row, refresh_consensus
from auditkit.judge.names import Judge
from auditkit.judge.second import refer
from auditkit.plan import ModelSpec
from auditkit.store import Store


@dataclass
class Panel:
    """`first` read every reply, `second` what is referred to them (`share` of it by chance); `rule` joins the stance judges.

    Without a rule there is a majority where two or more stance judges are named. Raises AuditError for a panel that does not
    hold together.
    """

    first: Sequence[Judge]
    second: Sequence[Judge] = ()
    share: float = 0.10
    rule: Rule | None = None
    consensus: dict[str, object] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        keys = {judge.key for judge in self.first}
        for judge in self.second:
            if judge.key in keys:
                raise AuditError(f"--second-judge {judge.name} is one of the first judges already; name another one")
            if not self.before(judge):
                raise AuditError(
                    f"--second-judge {judge.name} has nobody to come second to; add a --judge for {judge.task}"
                )
        members = {judge.key: judge.name for judge in self.judges if judge.task == "stance"}
        if len(members) > 1:
            self.consensus = consensus_row(self.rule or "majority", members)
        elif self.rule is not None:
            raise AuditError(f"--consensus {self.rule} needs two stance judges or more; add another --judge")

    @property
    def judges(self) -> list[Judge]:
        return [*self.first, *self.second]

    @property
    def specs(self) -> list[ModelSpec]:
        """The models among the judges."""
        return [judge.spec for judge in self.judges if judge.spec is not None]

    def before(self, judge: Judge) -> list[Judge]:
        """The first judges of a second judge's task."""
        return [each for each in self.first if each.task == judge.task]

    def ask(self, store: Store, run_id: str) -> None:
        """Make the panel known to the store, and note that this run wants it."""
        for judge in self.judges:
            store.ask_judge(run_id, judge.row, judge.presentations)
        if self.consensus is not None:
            store.ask_judge(run_id, self.consensus, [])  # nothing is ever pending: its verdicts are derived
        with store.transaction() as db:
            db.executemany(
                "delete from second_judges where run_id = ? and judge_key = ?", [(run_id, j.key) for j in self.judges]
            )
            db.executemany(
                "insert into second_judges (run_id, judge_key, random_share) values (?, ?, ?)",
                [(run_id, judge.key, self.share) for judge in self.second],
            )

    def refer(self, store: Store, run_id: str) -> None:
        """Put before the second judges what the first ones have read and left in doubt."""
        for judge in self.second:
            refer(store, run_id, judge, self.before(judge), self.share)

    def conclude(self, store: Store, run_id: str) -> None:
        """Bring every consensus of the run up to date."""
        refresh_consensus(store, run_id)

    def alone(self, store: Store, run_id: str) -> str | None:
        """Key of the one stance judge that was named, where the run has a consensus of others that would stand in its place."""
        stance = [judge.key for judge in self.first if judge.task == "stance"]
        if self.consensus is not None or len(stance) != 1:
            return None
        return stance[0] if consensus_keys(store, run_id) else None

    def left(self, store: Store, run_id: str) -> int:
        """Readings that the panel has still to do."""
        return sum(len(store.pending_verdicts(run_id, judge.key)) for judge in self.judges)
