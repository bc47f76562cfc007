"""Judge whether a tree keeps to the scope of the video jobs.

Exit code 0: no rule is broken. 1: at least one is. 2: the tree could not be judged.
"""

import argparse
import gc
import json
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

# The rules come from the tree that this file lies in, whatever else is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
try:
    from tools.governance.findings import CannotJudge
    from tools.governance.policy import load_policy
    from tools.governance.verdict import Verdict, judge
except ModuleNotFoundError as missing:
    # Python itself would exit with 1, which stands for a broken rule.
    print(f"Could not judge: {missing}; `make governance` installs it.", file=sys.stderr)
    raise SystemExit(2) from missing

VOCABULARY = Path(__file__).with_name("forbidden_vocabulary_phase16.yaml")
THIS_TREE = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        verdict = judge(options.root.resolve(), load_policy(VOCABULARY))
    except CannotJudge as error:
        _say_cannot(str(error), as_json=options.json)
        return 2
    except Exception:
        traceback.print_exc()
        _say_cannot("The validator failed.", as_json=options.json)
        return 2
    _say(verdict, as_json=options.json)
    return 1 if verdict.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=THIS_TREE, help="the tree to judge (default: this one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _say(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(verdict), indent=2))
        return
    for violation in verdict.violations:
        print(violation)
    print(f"{verdict.files} functional files scanned, {len(verdict.violations)} violations.")


def _say_cannot(reason: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": reason}))
    else:
        print(f"Could not judge: {reason}", file=sys.stderr)


if __name__ == "__main__":
    gc.disable()  # the syntax trees are wanted to the end; looking for waste among them takes long
    sys.exit(main())
