"""backpropd: neural networks trained by backpropagation and gradient descent, as a library and as a service."""
