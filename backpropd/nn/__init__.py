"""The mathematics: feed-forward networks trained by backpropagation and gradient descent, in readable NumPy.

network = Network(Spec(2, (LayerSpec(4, "tanh"), LayerSpec(1, "logistic")), "binary_cross_entropy"))
training = Training(Adam(learning_rate=0.05), epochs=200, batch_size=4)
state = State.start(network, training.optimizer, np.random.default_rng(0))
for epoch in fit(network, Batch(x, y), None, training, state):
    print(epoch.epoch, epoch.loss)
h = network.predict(state.theta, x)
"""

from backpropd.nn.activations import ACTIVATIONS
from backpropd.nn.initializers import INITIALIZERS
from backpropd.nn.losses import LOSSES
from backpropd.nn.mcculloch_pitts import McCullochPitts
from backpropd.nn.network import Batch, LayerSpec, Network, Spec
from backpropd.nn.neurons import NEURONS, Neuron, fit_neuron, restore_neuron, start_neuron
from backpropd.nn.optim import SGD, Adam
from backpropd.nn.params import Layout
from backpropd.nn.perceptron import Perceptron
from backpropd.nn.perceptron_network import PerceptronNetwork
from backpropd.nn.state import State
from backpropd.nn.threshold import Trace
from backpropd.nn.train import EarlyStopping, Epoch, Training, fit

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "NEURONS",
    "SGD",
    "Adam",
    "Batch",
    "EarlyStopping",
    "Epoch",
    "LayerSpec",
    "Layout",
    "McCullochPitts",
    "Network",
    "Neuron",
    "Perceptron",
    "PerceptronNetwork",
    "Spec",
    "State",
    "Trace",
    "Training",
    "fit",
    "fit_neuron",
    "restore_neuron",
    "start_neuron",
]
