"""What is outside the core: the followed log, the published playbooks, the alarm clocks."""
