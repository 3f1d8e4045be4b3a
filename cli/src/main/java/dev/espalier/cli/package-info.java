/// The command line: a class for each verb, what they share ([Console], [Progress], [Stop]), and
/// [Main], which turns whatever happens into one message and an exit code.
///
/// A verb parses its arguments, calls `core`, and prints; what computes is not here. To add one,
/// write a class like [Schema], and name it in [Main].
@org.jspecify.annotations.NullMarked
package dev.espalier.cli;
