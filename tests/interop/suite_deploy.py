"""``deploy/`` by others' judgement: the schema of Kubernetes."""

import json
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_kubernetes_takes_the_manifests() -> None:
    manifest = DEPLOY / "kubernetes" / "shop.yaml"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "kubernetes-validate"), "--strict", str(manifest)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [line.split("resource ")[1].split("/")[0] for line in done.stderr.splitlines()]
    assert kinds == ["deployment", "service", "poddisruptionbudget"], json.dumps(kinds)
