"""The code behind the good plugin."""


class Driver:
    def run(self, *, step_id, config, inputs, ctx):
        return {}

    def bind(self, *, step_id, config, inputs, ctx):
        return {}


class Doctor:
    def check(self, connection, *, project_root, timeout):
        raise NotImplementedError
