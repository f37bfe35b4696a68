"""The mathematics, tested against paper, finite differences and scikit-learn."""
