"""A typed client of the service.

with Client() as client:
    dataset = client.datasets.upload("iris.csv")
    job = client.jobs.create(dataset["id"], "species")
    done = client.jobs.wait(job["id"], on_epoch=lambda epoch: print(epoch["epoch"], epoch["loss"]))
    answers = client.models.predict(done["model_id"], [{"sepal_length": 5.1, ...}])
"""

from backpropd.client.client import Client, unsuccessful
from backpropd.client.types import Curve, Dataset, Epoch, Event, Job, Model, Surface, Trace

__all__ = ["Client", "Curve", "Dataset", "Epoch", "Event", "Job", "Model", "Surface", "Trace", "unsuccessful"]
