guide-title = First steps
guide-lead = From an empty installation to a first enrolled device.
