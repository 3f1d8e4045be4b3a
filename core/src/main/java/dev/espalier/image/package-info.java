/// Pictures: from files of many formats to 8-bit RGB, to the size and the numbers that a model
/// reads, and changed at random in training together with what is marked in them.
@org.jspecify.annotations.NullMarked
package dev.espalier.image;
