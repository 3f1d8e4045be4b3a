/// What is kept between two runs of the program: tensors in safetensors files, and the folder of a
/// run with its checkpoints, each whole or absent.
///
/// A file or folder that comes from outside is checked to the last byte that is used before
/// anything is allocated for it, and refused by name.
@org.jspecify.annotations.NullMarked
package dev.espalier.checkpoint;
