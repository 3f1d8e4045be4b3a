/// The part of the template language Jinja that the chat templates of published models use, with
/// the whitespace rules that the Hugging Face library sets.
///
/// A [Jinja] template is a program that came with a download: it sees nothing but the values that
/// it is given, reaches no file and no class, and its steps and the text that it makes are bounded.
/// Of each character of its output it is known from which of the given texts it comes ([Text]).
@org.jspecify.annotations.NullMarked
package dev.espalier.tokenize.jinja;
