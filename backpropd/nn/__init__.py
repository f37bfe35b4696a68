"""The mathematics: feed-forward networks trained by backpropagation and gradient descent, in readable NumPy.

Formulas, training and what inspects it are here, with a compiled twin in `kernels`. Files, tables and settings are not:
everything is an argument.

network = Network(Spec(2, (LayerSpec(4, "tanh"), LayerSpec(1, "logistic")), "binary_cross_entropy"))
training = Training(Adam(learning_rate=0.05), epochs=200, batch_size=4)
state = State.start(network, training.optimizer, np.random.default_rng(0))
for epoch in fit(network, Batch(x, y), None, training, state):
    print(epoch.epoch, epoch.loss)
h = network.predict(state.theta, x)
"""

from collections.abc import Callable

from backpropd.nn.feedforward.activations import ACTIVATIONS, Task
from backpropd.nn.feedforward.ensemble import side_by_side
from backpropd.nn.feedforward.initializers import INITIALIZERS
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.feedforward.normalization import NormalizationKind
from backpropd.nn.feedforward.parametrization import ParametrizationKind
from backpropd.nn.feedforward.spec import LayerSpec, Spec
from backpropd.nn.hyperparameter_bounds import hyperparameters
from backpropd.nn.layout import Array, DType, Layout
from backpropd.nn.neurons.fit_neuron import fit_neuron, restore_neuron, start_neuron
from backpropd.nn.neurons.mcculloch_pitts import McCullochPitts
from backpropd.nn.neurons.perceptron import Perceptron
from backpropd.nn.neurons.perceptron_network import PerceptronNetwork
from backpropd.nn.neurons.step_units import Neuron
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import OPTIMIZERS, SGD, Adadelta, Adagrad, Adam, AdamW, Nadam, RMSprop
from backpropd.nn.optimization.regularization import Regularization
from backpropd.nn.optimization.schedules import SCHEDULES
from backpropd.nn.training.epochs import Epoch
from backpropd.nn.training.state import State
from backpropd.nn.training.train import fit, fit_in_chunks
from backpropd.nn.training.training_config import EarlyStopping, Training


def row_predictor(network: Network, theta: Array) -> Callable[[Array], Array]:
    """`backpropd.nn.kernels.prediction.row_predictor`."""
    from backpropd.nn.kernels import prediction  # and with it Numba, which the service does without

    return prediction.row_predictor(network, theta)
