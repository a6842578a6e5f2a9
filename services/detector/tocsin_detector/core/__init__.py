"""What counts as an alert. Pure: samples and foreign alerts in, alert events out; time is a parameter."""
