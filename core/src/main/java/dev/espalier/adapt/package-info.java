/// Training few weights instead of all: LoRA and DoRA, several adapters on one base, merging back.
@org.jspecify.annotations.NullMarked
package dev.espalier.adapt;
