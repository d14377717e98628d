"""Fail if a test was skipped for want of a tool: `python .ci/skipped.py tests.xml ...` (what pytest --junitxml wrote).

A test may be skipped where there is no GPU, or where data that are not in the repository are missing; its reason then
begins with "needs a CUDA GPU" or "needs the data". Any other reason is a tool that could have been installed.
"""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

MAY_BE_MISSING = r"(\('[^']*', \d+, '|Skipped: )*needs (a CUDA GPU|the data)"


def skipped(report: Path) -> list[str]:
    """Return the tests that were skipped for want of a tool, with their reasons."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message", "")
            if skip.get("type") == "pytest.skip" and not re.match(MAY_BE_MISSING, reason):
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


if __name__ == "__main__":
    lacking = [test for report in sys.argv[1:] for test in skipped(Path(report))]
    if lacking:
        sys.exit("\n".join(["Skipped for want of a tool:", *lacking]))
