"""A scikit-learn pipeline as an MLflow model: `python -m bench.contenders.mlflow_model DATA.npz frame|matrix FOLDER`.

The file has the arrays `x` (rows, features) and `y` (rows). A model of a `frame` takes columns by name, with a schema,
and one of a `matrix` an array. It prints MLflow's version.
"""

import sys
import warnings

import mlflow
import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TRUSTED = ["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"]  # what MLflow asks to confirm


def main(data: str, form: str, folder: str) -> None:
    """Fit the pipeline and save it."""
    warnings.simplefilter("ignore")  # the network need not converge
    arrays = np.load(data)
    x, y = arrays["x"], arrays["y"]
    if form == "frame":
        x = pd.DataFrame(x, columns=[f"x{n}" for n in range(x.shape[1])])
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=50, random_state=0)).fit(x, y)
    mlflow.sklearn.save_model(
        pipeline,
        folder,
        signature=mlflow.models.infer_signature(x, pipeline.predict(x)),
        pip_requirements=["scikit-learn"],
        skops_trusted_types=TRUSTED,
    )
    print(f"MLflow {mlflow.__version__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
