"""The outside of the detector: scraping, and the Alertmanager API."""
