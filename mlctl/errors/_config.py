"""What is wrong in the YAML or on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlctl.errors._tree import MlctlError, did_you_mean, listed


@dataclass(frozen=True)
class Fault:
    """One thing wrong in the configuration.

    Attributes:
        key: Dotted path of the key, such as `model.max_depth`.
        message: What is wrong and what was expected.
        place: `file:line`, or the override that set the value.
        set_by: Who set the value: `project file`, `preset`, `command line`, `default`.
        hint: "did you mean ...?" or another way out.
    """

    key: str
    message: str
    place: str = ""
    set_by: str = ""
    hint: str = ""

    def __str__(self) -> str:
        origin = f" [{self.set_by}]" if self.set_by else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place or 'project'}: {self.key}: {self.message}{hint}{origin}"


class ConfigError(MlctlError):
    """The YAML or the command line is wrong (exit 2). Carries every fault that was found."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "", faults: Sequence[Fault] = ()):
        super().__init__(what, where=where, why=why, next_step=next_step)
        self.faults = tuple(faults)

    def lines(self) -> list[tuple[str, str]]:
        """The headline, then a line a fault, then the next step."""
        parts = super().lines()
        faults = [("fault", str(fault)) for fault in self.faults]
        return parts[:1] + faults + parts[1:]

    @classmethod
    def of_project(cls, name: str, faults: Sequence[Fault]) -> ConfigError:
        """Every fault of a project's configuration at once."""
        count = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}"
        return cls(
            f"the configuration of {name!r} has {count}",
            faults=faults,
            next_step="mlctl explain KEY tells what a key means",
        )

    @classmethod
    def bad_waivers(cls, name: str, faults: Sequence[Fault]) -> ConfigError:
        """Every fault of a project's waivers.yaml at once."""
        return cls(
            f"the waivers of {name!r} cannot be read",
            faults=faults,
            next_step="correct waivers.yaml: rule, until (YYYY-MM-DD), by, because; cohort, evaluation if meant",
        )

    @classmethod
    def of_encoder(cls, key: str, why: str, hint: str = "") -> ConfigError:
        """A folder that is no encoder of texts, or another one than was asked for."""
        return cls(
            "the encoder of texts cannot be used",
            faults=[Fault(key, why, hint=hint)],
            next_step="mlctl explain encoding tells what the keys mean",
        )

    @classmethod
    def unknown_kind(cls, seam: str, kind: str, known: Sequence[str]) -> ConfigError:
        """A `kind:` that has no file in its seam."""
        why = did_you_mean(kind, known) or f"known: {listed(known)}"
        return cls(f"{seam} has no kind {kind!r}", why=why, next_step=f"mlctl explain {seam}")

    @classmethod
    def unknown_key(cls, key: str, known: Sequence[str]) -> ConfigError:
        """A dotted key or kind that `explain` does not know."""
        why = did_you_mean(key, known) or f"known: {listed(known)}"
        return cls(f"there is no kind or key {key!r}", why=why, next_step="mlctl explain lists every kind")

    @classmethod
    def no_project(cls, folder: Path, known: Sequence[str]) -> ConfigError:
        """The named folder is not a project."""
        why = did_you_mean(folder.name, known) or (f"projects here: {listed(known)}" if known else "")
        return cls(
            f"{str(folder)!r} is not a project: it has no project.yaml", why=why, next_step="mlctl run projects/NAME"
        )

    @classmethod
    def no_workspace(cls, start: Path) -> ConfigError:
        """No folder from `start` upwards holds dvc.yaml and projects/."""
        why = "no folder from here up to the root holds dvc.yaml and projects/"
        return cls(
            "this is not an mlctl workspace", where=str(start), why=why, next_step="cd into the clone of the workspace"
        )

    @classmethod
    def unreadable_yaml(cls, place: str, why: str) -> ConfigError:
        """A YAML file that cannot be parsed, or that uses what is refused (tags, aliases, traps)."""
        return cls(
            "the YAML cannot be read", where=place, why=why, next_step="correct the line and run the same command again"
        )

    @classmethod
    def bad_override(cls, override: str, why: str) -> ConfigError:
        """A Hydra override that cannot be applied."""
        return cls(
            f"the override {override!r} cannot be applied",
            where="command line",
            why=why,
            next_step="mlctl explain KEY tells which keys exist",
        )

    @classmethod
    def bad_argument(
        cls, argument: str, why: str, next_step: str = "the same command with --help tells what can be said"
    ) -> ConfigError:
        """A word on the command line that a command cannot follow."""
        return cls(f"{argument!r} cannot be followed", where="command line", why=why, next_step=next_step)

    @classmethod
    def no_features(cls, command: str, project: str) -> ConfigError:
        """A command about features, asked of a project that recommends items and has none."""
        why = "it recommends items: it learns from interactions and not from features"
        step = f"mlctl run projects/{project}, and mlctl explain recommenders"
        return cls(f"{command} does not go with {project!r}", where="command line", why=why, next_step=step)

    @classmethod
    def no_tuning(cls, project: str) -> ConfigError:
        """`mlctl tune`, asked of a project that recommends items."""
        why = "the options of a recommender are not searched; every training compares its kinds on users who rehearse"
        step = f"mlctl run projects/{project} model.options.ease.l2=200,500 tries several; go by the lines of train"
        return cls(f"mlctl tune does not go with {project!r}", where="command line", why=why, next_step=step)

    @classmethod
    def unknown_database(cls, key: str) -> ConfigError:
        """A connection string of a database that cannot be read; it is not shown, it may hold a password."""
        return cls(
            "the connection string names no database that can be read",
            where=key,
            why="it is neither postgresql://... nor sqlite:///FILE",
            next_step=f"correct {key}, or the environment variable that it names",
        )

    @classmethod
    def missing_environment(cls, name: str, key: str) -> ConfigError:
        """`${oc.env:NAME}` names a variable that is not set."""
        return cls(
            f"the environment variable {name} is not set",
            where=key,
            next_step=f"export {name}=... and run the same command again",
        )
