package dev.espalier.tokenize;

import static dev.espalier.tokenize.ChatTemplateTest.TOKENIZER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.tokenize.ChatTemplate.Known;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.Dialogue.Which;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class DialogueTest {
    private static final Message SYSTEM = new Message("system", "Be brief.");
    private static final Message USER = new Message("user", "Hi");
    private static final Message ANSWER = new Message("assistant", "Hello!");
    private static final Message WHY = new Message("user", "Why <|im_end|>?");
    private static final Message BECAUSE = new Message("assistant", "Because.");
    private static final List<Message> FIVE = List.of(SYSTEM, USER, ANSWER, WHY, BECAUSE);

    @TempDir Path folder;

    /// A template of the tests' reference.
    private static ChatTemplate template(String name) throws IOException {
        var source =
                Files.readString(Path.of("src/test/resources/jinja/templates", name + ".jinja"));
        return ChatTemplate.parse(name, source);
    }

    private static List<String> answers(Dialogue dialogue) {
        return dialogue.answers().stream()
                .map(a -> TOKENIZER.decode(Arrays.copyOfRange(dialogue.ids(), a.from(), a.to())))
                .toList();
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(
            String source, List<Message> conversation) {
        var template = ChatTemplate.parse("t", source);
        return assertThatThrownBy(() -> Dialogue.of(template, TOKENIZER, conversation, Which.EVERY))
                .isInstanceOf(EspalierException.class);
    }

    @Test
    void everyAnswerIsFoundWithTheTokenThatEndsIt() throws IOException {
        for (var name : List.of("chatml", "chatml-generation", "qwen2", "qwen2.5")) {
            var dialogue = Dialogue.of(template(name), TOKENIZER, FIVE, Which.EVERY);
            assertThat(answers(dialogue))
                    .as(name)
                    .containsExactly("Hello!<|im_end|>", "Because.<|im_end|>");
            assertThat(dialogue.stop()).isEqualTo(TOKENIZER.id("<|im_end|>").orElseThrow());
            assertThat(dialogue.answers())
                    .extracting(Dialogue.Answer::message)
                    .containsExactly(2, 4);
        }
        assertThat(answers(Dialogue.of(template("llama-3"), TOKENIZER, FIVE, Which.EVERY)))
                .containsExactly("Hello!<|eot_id|>", "Because.<|eot_id|>");
        assertThat(answers(Dialogue.of(template("zephyr"), TOKENIZER, FIVE, Which.LAST)))
                .containsExactly("Because.<|endoftext|>");
        assertThat(answers(Dialogue.of(template("llama-2"), TOKENIZER, FIVE, Which.EVERY)))
                .containsExactly(" Hello! <|endoftext|>", " Because. <|endoftext|>");
    }

    @Test
    void whatIsTrainedStandsBehindWhatGenerationSees() throws IOException {
        for (var name : List.of("chatml", "llama-2", "llama-3", "zephyr", "qwen2.5")) {
            var template = template(name);
            var dialogue = Dialogue.of(template, TOKENIZER, FIVE, Which.LAST);
            var asked = template.encode(TOKENIZER, FIVE.subList(0, 4));
            var from = dialogue.answers().getFirst().from();
            assertThat(Arrays.copyOf(dialogue.ids(), from)).as(name).isEqualTo(asked);
        }
    }

    /// As the Hugging Face library reads the same text as a whole, for files that put a space
    /// behind special tokens (Llama 2's once, T5's) and for those that put it before a text alone.
    @ParameterizedTest
    @ValueSource(strings = {"legacy", "always", "first", "never"})
    void spacesStandWhereTheWholeTextHasThem(String scheme) throws IOException {
        var tokenizer = sentencePieces(scheme);
        for (var name : List.of("llama-2", "mistral")) {
            var template = template(name);
            var conversation = name.equals("mistral") ? FIVE.subList(1, 5) : FIVE;
            var whole = template.render(tokenizer, conversation, false).text().toString();
            var ids = tokenizer.encode(whole);
            for (var which : Which.values()) {
                var dialogue = Dialogue.of(template, tokenizer, conversation, which);
                assertThat(dialogue.ids()).as("%s %s", name, which).isEqualTo(ids);
                var asked =
                        template.encode(
                                tokenizer, conversation.subList(0, conversation.size() - 1));
                assertThat(asked)
                        .isEqualTo(Arrays.copyOf(ids, dialogue.answers().getLast().from()));
            }
        }
        var names = Arrays.stream(ids(tokenizer, "llama-2")).mapToObj(tokenizer::token).toList();
        assertThat(names)
                .startsWith("<s>", Set.of("legacy", "always").contains(scheme) ? "▁[" : "[");
        assertThat(names).endsWith("]", "▁Hello", "!", "▁", "</s>");
    }

    private static int[] ids(Tokenizer tokenizer, String name) throws IOException {
        return Dialogue.of(template(name), tokenizer, List.of(USER, ANSWER), Which.EVERY).ids();
    }

    /// White space at the end of what is asked is lost by these, and stands before the answer.
    @Test
    void spacesThatAPromptLosesStandBeforeTheAnswer() {
        var tokenizer =
                SentencePieceTrainer.unigram(
                        List.of("Hi Hello! Why? Because. Because. user assistant: ".repeat(20)),
                        60,
                        1,
                        Normalization.NMT_NFKC,
                        false,
                        List.of("<pad>", "</s>", "<unk>"));
        for (var end : List.of(": ", ":\\n", ":")) {
            var template =
                    ChatTemplate.parse(
                            "t",
                            "{% for m in messages %}{{ m.role + '"
                                    + end
                                    + "' + m.content + '</s>' }}{% endfor %}{% if add_generation_prompt"
                                    + " %}{{ 'assistant"
                                    + end
                                    + "' }}{% endif %}");
            var conversation = List.of(USER, ANSWER);
            var dialogue = Dialogue.of(template, tokenizer, conversation, Which.EVERY);
            var whole = template.render(tokenizer, conversation, false).text().toString();
            assertThat(dialogue.ids()).as(end).isEqualTo(tokenizer.encode(whole));
        }
    }

    /// As of templates that want a question of the user's before they ask.
    @Test
    void aBeginningThatTheTemplateRefusesIsNoHindrance() {
        var template =
                ChatTemplate.parse(
                        "t",
                        "{% if messages[0].role != 'user' and messages|length < 2 %}{{ raise_exception('no"
                                + " question') }}{% endif %}{% for m in messages %}{{ m.content +"
                                + " eos_token }}{% endfor %}");
        var conversation = List.of(SYSTEM, ANSWER, USER, BECAUSE);
        var dialogue = Dialogue.of(template, TOKENIZER, conversation, Which.LAST);
        assertThat(answers(dialogue)).containsExactly("Because.<|endoftext|>");
    }

    /// A word that an answer begins with at once goes on the text before it.
    @ParameterizedTest
    @ValueSource(strings = {"legacy", "always", "first", "never"})
    void noSpaceIsPutWhereAnAnswerBegins(String scheme) throws IOException {
        var tokenizer = sentencePieces(scheme);
        var template =
                ChatTemplate.parse(
                        "t",
                        "{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}:{% else %}{{"
                                + " eos_token }}{% endif %}{% endfor %}");
        var dialogue = Dialogue.of(template, tokenizer, List.of(USER, ANSWER), Which.EVERY);
        var answer = dialogue.answers().getFirst();
        assertThat(
                        Arrays.stream(dialogue.ids(), answer.from(), answer.to())
                                .mapToObj(tokenizer::token))
                .containsExactly("Hello", "!", "</s>");
    }

    /// Byte pairs whose file puts a space where `scheme` says, as Llama 2's once or by a
    /// pre-tokenizer.
    private Tokenizer sentencePieces(String scheme) throws IOException {
        var text =
                "[INST] Hi Hello! Hello! Why? Because. Because. Be brief. <<SYS>> [/INST] (Hello (Hello (Hi ";
        var trained =
                SentencePieceTrainer.bytePairs(
                        List.of(text.repeat(20)), 360, 2, 1, List.of("<unk>", "<s>", "</s>"));
        var source = folder.resolve("pairs-" + scheme);
        trained.save(source);
        if (!scheme.equals("legacy")) {
            var json = (ObjectNode) Json.read(source.resolve("tokenizer.json"));
            json.putNull("normalizer");
            json.putObject("pre_tokenizer")
                    .put("type", "Metaspace")
                    .put("replacement", "▁")
                    .put("prepend_scheme", scheme)
                    .put("split", false);
            Files.writeString(source.resolve("tokenizer.json"), json.toString());
        }
        return Tokenizers.read(source);
    }

    /// The first letter would melt into the line end before it if the text were encoded as one.
    @Test
    void noTokenReachesAcrossTheBeginningOfAnAnswer() {
        var merging =
                BytePairTrainer.train(
                        List.of("assistant\n\nHello\n\nHello"), 300, 1, List.of("<|endoftext|>"));
        var template = ChatTemplate.of(Known.ALPACA, merging);
        var conversation = List.of(USER, new Message("assistant", "\n\nHello"));
        var lf =
                ChatTemplate.parse(
                        "t",
                        "{% for m in messages %}{{ m.role + '\n' + m.content + eos_token }}{% endfor %}"
                                + "{% if add_generation_prompt %}{{ 'assistant\n' }}{% endif %}");
        var asked = lf.encode(merging, conversation.subList(0, 1));
        var dialogue = Dialogue.of(lf, merging, conversation, Which.EVERY);
        assertThat(Arrays.copyOf(dialogue.ids(), asked.length)).isEqualTo(asked);
        assertThat(dialogue.answers().getFirst().from()).isEqualTo(asked.length);
        assertThat(template.ends(merging)).hasSize(1);
    }

    @Test
    void historyIsEncodedAsItWasTrained() {
        var template = ChatTemplate.of(Known.CHATML, TOKENIZER);
        var trained = Dialogue.of(template, TOKENIZER, FIVE, Which.EVERY);
        var asked = template.encode(TOKENIZER, FIVE.subList(0, 4));
        assertThat(Arrays.copyOf(trained.ids(), asked.length)).isEqualTo(asked);
    }

    @Test
    void aStopTokenThatTheTemplateMasksIsRefused() {
        assertRefused(
                        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role =="
                                + " 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else"
                                + " %}{{ m.content }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}{% if"
                                + " add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
                        FIVE)
                .hasMessageContaining("message 3 ('Hello!')")
                .hasMessageContaining("'<|im_end|>', is masked out");
    }

    @Test
    void aTemplateWithoutAStopTokenIsRefused() {
        assertThatThrownBy(() ->
                        Dialogue.of(
                                ChatTemplate.of(Known.PLAIN, TOKENIZER),
                                TOKENIZER,
                                FIVE,
                                Which.EVERY))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("no special token of the tokenizer ends the answer")
                .hasMessageContaining("stands '\\n'");
        assertRefused(
                        "{% for m in messages %}{{ m.content + '<stop>' }}{% endfor %}",
                        List.of(USER, ANSWER))
                .hasMessageContaining("'<stop>'");
    }

    @Test
    void aTemplateThatShowsTrainingAnotherPromptIsRefused() {
        // The generation prompt lacks the header that stands before answers.
        assertRefused(
                        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content +"
                                + " '<|im_end|>\n' }}{% endfor %}",
                        FIVE)
                .hasMessageContaining("'<|im_start|>assistant\\n'")
                .hasMessageContaining("generation prompt");
        // The generation prompt is another than what stands before answers.
        assertRefused(
                        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content +"
                                + " '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{"
                                + " '<|im_start|>bot\n' }}{% endif %}",
                        FIVE)
                .hasMessageContaining("another text before the answer than generation will see")
                .hasMessageContaining("'assistant\\nHello!<|im_end|>")
                .hasMessageContaining("is not 'bot\\n'");
    }

    @Test
    void aTemplateThatTellsThePastInAnotherWayIsRefusedButForTheLastAnswer() throws IOException {
        var mistral = template("mistral-v3");
        var conversation = List.of(SYSTEM, USER, ANSWER, WHY, BECAUSE);
        assertThatThrownBy(() -> Dialogue.of(mistral, TOKENIZER, conversation, Which.EVERY))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("on its last answers alone");
        var thinking = template("qwen3");
        var thought = new Message("assistant", "<think>\nWell.\n</think>\n\nHello!");
        assertThatThrownBy(() ->
                        Dialogue.of(
                                thinking,
                                TOKENIZER,
                                List.of(USER, thought, WHY, BECAUSE),
                                Which.EVERY))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("once the conversation goes on");
        assertThat(answers(Dialogue.of(thinking, TOKENIZER, List.of(USER, thought), Which.LAST)))
                .containsExactly("<think>\nWell.\n</think>\n\nHello!<|im_end|>");
    }

    @Test
    void anAnswerThatTheTemplateCutsIsRefused() throws IOException {
        var thought = new Message("assistant", "<think>Well.</think>Hello!");
        var tokenizer =
                TOKENIZER.withSpecialTokens(List.of("<|Assistant|>", "<|end_of_sentence|>"));
        var deepseek = template("deepseek");
        assertThatThrownBy(
                        () -> Dialogue.of(deepseek, tokenizer, List.of(USER, thought), Which.LAST))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("another text before the answer");
        assertRefused(
                        "{% for m in messages %}{{ m.content[:8] + eos_token }}{% endfor %}",
                        List.of(USER, new Message("assistant", "Because it rained.")))
                .hasMessageContaining("the template cuts the answer")
                .hasMessageContaining("of 18 characters it shows 7, 'Because'");
    }

    @Test
    void aConversationWithoutAnAnswerIsRefused() {
        var chatml = ChatTemplate.of(Known.CHATML, TOKENIZER).source();
        assertRefused(chatml, List.of(USER)).hasMessageContaining("nothing is trained");
        assertRefused(chatml, List.of(USER, new Message("assistant", " \n")))
                .hasMessageContaining("the answer is empty");
        assertThatThrownBy(() ->
                        Dialogue.of(
                                ChatTemplate.of(Known.CHATML, TOKENIZER),
                                TOKENIZER,
                                List.of(USER, ANSWER, WHY),
                                Which.LAST))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("last word");
        assertRefused(
                        "{% for m in messages %}{{ m.content }}{% if loop.last %}{% generation %}{{"
                                + " eos_token }}{% endgeneration %}{% else %}{{ eos_token }}{% endif %}"
                                + "{% endfor %}",
                        List.of(USER, ANSWER, WHY, BECAUSE))
                .hasMessageContaining("generation blocks leave the answer out");
    }
}
