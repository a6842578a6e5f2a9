"""The detector: samples, probes and foreign alerts in, alert events out."""
