package dev.espalier.model;

import dev.espalier.nn.Module;
import tools.jackson.databind.node.ObjectNode;

/// A model of a published family, whose files it reads and writes.
public abstract class Model extends Module {
    /// What the family's files call things.
    public abstract Family family();

    /// The keys of `config.json` that decide what this model is.
    public abstract ObjectNode configJson();
}
