"""The worker program: claims jobs, trains them, sweeps up after workers that died, migrates the database."""
