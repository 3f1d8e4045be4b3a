/// Training few weights instead of all: LoRA, the frozen body, merging back.
@org.jspecify.annotations.NullMarked
package dev.espalier.adapt;
