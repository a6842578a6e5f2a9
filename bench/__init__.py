"""Every figure the project claims, measured: `make bench`. Results go to `bench/results/`."""
