"""The lab: JupyterLab with its kernels and terminals, as it runs behind the door."""
