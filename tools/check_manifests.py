"""`python tools/check_manifests.py`: check deploy/kubernetes against the schemas of Kubernetes and KEDA."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

FOLDER = Path(__file__).parent.parent / "deploy" / "kubernetes"
KUSTOMIZATION = "kustomization.yaml"
OLDEST = "1.30"  # the oldest Kubernetes that they are for


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with the manifests in a folder."""
    listed = set(yaml.safe_load((folder / KUSTOMIZATION).read_text())["resources"])
    for name in sorted(listed ^ {path.name for path in folder.glob("*.yaml")} - {KUSTOMIZATION}):
        yield f"{name} is not both a file and a resource of {KUSTOMIZATION}"
    keda = json.loads((folder / "keda.schema.json").read_text())
    for path in sorted(folder.glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()) if path.name in listed else ():
            try:
                _validate(manifest, keda)
            except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                yield f"{path.name}: {manifest['kind']}: {getattr(error, 'json_path', '')} {error.message}"


def _validate(manifest: dict[str, Any], keda: dict[str, Any]) -> None:
    if manifest["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(manifest, keda)
        return
    for version in (OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest, version, strict=True)


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1]) if sys.argv[1:] else FOLDER))
    sys.exit("\n".join(found) or None)
