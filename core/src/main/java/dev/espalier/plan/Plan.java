package dev.espalier.plan;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// What a run needs, before it begins.
///
/// @param parameters by the part of the model
/// @param trained weights that are trained
/// @param training memory at the peak of a step
/// @param recomputed the same where blocks are computed again on the way back
/// @param peak memory of the process at the peak of a step on this machine: that of `training`, or
///   what steps like these were seen to take here, where that is more
/// @param seen what they were seen to take, bytes; 0 where that is not known
/// @param machines the machines of the table, the one that runs this program first
/// @param accuracy how good predictions have been on this machine
/// @param notes what the figures leave out or assume
public record Plan(
        String name,
        String family,
        SequencedMap<String, Long> parameters,
        long trained,
        Work work,
        Operations operations,
        Cost.Memory training,
        Cost.Memory recomputed,
        long peak,
        long seen,
        Inference inference,
        @Nullable Deserved deserved,
        List<Estimate> machines,
        List<History.Accuracy> accuracy,
        List<String> notes) {
    /// Tokens that one parameter deserves (Hoffmann et al. 2022, arXiv:2203.15556, section 3.4,
    /// table 3: about 20).
    static final double TOKENS_PER_PARAMETER = 20;

    /// How fast what repeated tokens teach wears off, in passes after the first (Muennighoff et al.
    /// 2023, arXiv:2305.16264, eq. 5 and 6: R* = 15.4).
    private static final double REPETITIONS = 15.39;

    public Plan {
        machines = List.copyOf(machines);
        accuracy = List.copyOf(accuracy);
        notes = List.copyOf(notes);
    }

    /// How much is trained on.
    ///
    /// @param unit what is counted wherever tokens are spoken of: `tokens`, or `images`
    /// @param steps updates; null where they depend on data that are not known
    /// @param tokensPerStep padding left out
    /// @param replayed of these, of general text that is replayed
    /// @param tokens in all
    /// @param dataTokens of one pass over the data; null where they are not known
    /// @param epochs passes over the data
    /// @param before operations that a defence makes once before the first step
    /// @param evaluation null where it is not known how often, or on how much
    public record Work(
            String unit,
            @Nullable Double steps,
            double tokensPerStep,
            double replayed,
            @Nullable Double tokens,
            @Nullable Double dataTokens,
            @Nullable Double epochs,
            double before,
            @Nullable Evaluation evaluation) {}

    /// How the model is measured while it trains, and once when it is done.
    ///
    /// @param times how often, if training goes to its end; a part of one is of general text alone
    /// @param tokens that pass forward each time
    /// @param operations of all times together
    public record Evaluation(double times, double tokens, double operations) {}

    /// Floating-point operations.
    ///
    /// @param perToken of a token's forward and backward pass
    /// @param attention what of these is attention itself; null where its shape is not known
    /// @param perTokenWritten of writing one token behind as many as the context holds, with keys
    ///   and values kept, of an input as long where there is one; null where nothing is written
    /// @param all of the training, and of what comes before its first step; null where its length
    ///   is not known
    public record Operations(
            double perToken,
            @Nullable Double attention,
            @Nullable Double perTokenWritten,
            @Nullable Double all) {}

    /// Memory to use the model with.
    ///
    /// @param weights bytes in fp32
    /// @param cache bytes of keys and values of one text as long as the context; 0 where nothing is
    ///   written
    public record Inference(long weights, long cache, long process) {
        public long total() {
            return weights + cache + process;
        }
    }

    /// How much text the model deserves.
    ///
    /// @param tokens by Chinchilla's rule
    /// @param epochs passes over the data that these would be; null where the data are not known
    /// @param worth of `tokens`, as tokens that are all new: repeated ones teach less
    /// @param worthOfRun the same of what the recipe trains on
    public record Deserved(
            double tokens,
            @Nullable Double epochs,
            @Nullable Double worth,
            @Nullable Double worthOfRun) {}

    /// What the training takes on a machine.
    ///
    /// @param seconds of the training, steps and what comes before them; null where the length of
    ///   the run, or the machine's rate, is not known
    /// @param evaluating seconds of the evaluations; null where not known
    /// @param basis what the time goes by
    /// @param fits whether the training's memory is less than the machine's; null where unknown
    /// @param kilowattHours of both; null where it is not known what it draws
    /// @param price of both, renting, or the electricity where it is owned; null where neither is
    ///   known
    public record Estimate(
            String machine,
            @Nullable Double seconds,
            @Nullable Double evaluating,
            String basis,
            @Nullable Double tokensPerSecond,
            @Nullable Boolean fits,
            @Nullable Double kilowattHours,
            @Nullable Double price) {
        /// Seconds of training and evaluations, as far as they are known.
        public @Nullable Double all() {
            return sum(seconds, evaluating);
        }

        private static @Nullable Double sum(@Nullable Double training, @Nullable Double other) {
            return training == null || other == null ? training : Double.valueOf(training + other);
        }

        /// Of what takes so many seconds on the machine that runs this program.
        public static Estimate here(Hardware hardware, double seconds, String basis) {
            var here = hardware.here();
            return new Estimate(
                    Hardware.HERE,
                    seconds,
                    null,
                    basis,
                    null,
                    null,
                    here == null || here.watts() == null
                            ? null
                            : Double.valueOf(here.watts() * seconds / 3.6e6),
                    here == null
                            ? null
                            : Largest.Prices.on(here, hardware.pricePerKwh()).of(seconds));
        }
    }

    /// What is known of this machine for steps like the plan's.
    ///
    /// @param tokensPerSecond null where unknown
    /// @param memory bytes that a process can have
    /// @param taken bytes that steps like these were seen to take; 0 where that is not known
    public record Here(@Nullable Double tokensPerSecond, String basis, long memory, long taken) {}

    /// What is to be planned.
    ///
    /// @param flopsPerToken see [Cost#flopsPerToken]; what is not trained left out
    /// @param attention what of these is attention itself; null where its shape is not known
    /// @param optimizer bytes of its state
    /// @param loader bytes of what is kept beside the model
    /// @param process bytes of the process before
    /// @param pretraining whether tokens are what it learns from
    /// @param bf16Elsewhere whether another machine that multiplies in bf16 would; by the pass this
    ///   one does or does not
    /// @param replay what passes of replayed text, beside what `pass` says of the task's; null
    ///   where there is none
    /// @param measured the memory where it is not told by formula, or null
    public record Request(
            String name,
            Anatomy model,
            Cost.Pass pass,
            Work work,
            double flopsPerToken,
            @Nullable Double attention,
            long optimizer,
            long loader,
            long process,
            boolean pretraining,
            boolean bf16Elsewhere,
            Cost.@Nullable Pass replay,
            Cost.@Nullable Memory measured) {
        public Request(
                String name,
                Anatomy model,
                Cost.Pass pass,
                Work work,
                double flopsPerToken,
                @Nullable Double attention,
                long optimizer,
                long loader,
                long process,
                boolean pretraining,
                boolean bf16Elsewhere) {
            this(
                    name,
                    model,
                    pass,
                    work,
                    flopsPerToken,
                    attention,
                    optimizer,
                    loader,
                    process,
                    pretraining,
                    bf16Elsewhere,
                    null,
                    null);
        }

        /// At the peak of a step: of what passes one after the other the larger.
        public Cost.Memory memory(boolean recompute) {
            if (measured != null) {
                return measured;
            }
            var own = memory(pass, recompute);
            var other = replay == null ? own : memory(replay, recompute);
            return own.total() >= other.total() ? own : other;
        }

        private Cost.Memory memory(Cost.Pass passing, boolean recompute) {
            return Cost.trainingMemory(model, passing.with(recompute), optimizer, loader, process);
        }
    }

    public static Plan of(
            Request request, Here here, Hardware hardware, History history, List<String> notes) {
        var model = request.model();
        var pass = request.pass();
        var work = request.work();
        var per = request.flopsPerToken();
        var all = model.parameterCount();
        var training = request.memory(pass.recompute());
        var peak = Math.max(training.total(), here.taken());
        var estimates = new ArrayList<Estimate>();
        for (var kind : hardware.hereFirst()) {
            estimates.add(
                    estimate(
                            kind,
                            work,
                            per,
                            request.bf16Elsewhere(),
                            kind.name().equals(Hardware.HERE) ? peak : training.total(),
                            here,
                            hardware.pricePerKwh()));
        }
        // The input is read once, and attended to by each token that is written.
        var written =
                2.0 * (model.matrixWeights() - model.inputWeights())
                        + 4.0
                                * model.heads()
                                * model.headWidth()
                                * model.decoderLayers()
                                * model.context()
                                * (model.isEncoderDecoder() ? 2 : 1);
        return new Plan(
                request.name(),
                model.family(),
                new LinkedHashMap<>(model.parameters()),
                pass.trained(),
                work,
                new Operations(
                        per,
                        request.attention(),
                        model.decoderLayers() == 0 ? null : Double.valueOf(written),
                        work.tokens() == null ? null : per * work.tokens() + work.before()),
                training,
                request.memory(true),
                peak,
                here.taken(),
                new Inference(
                        4 * all,
                        model.decoderLayers() == 0
                                ? 0
                                : Cost.cacheBytes(model, 1, model.context(), model.context()),
                        request.process()),
                request.pretraining() ? deserved(all, work) : null,
                estimates,
                history.accuracies(),
                notes);
    }

    private static Deserved deserved(long parameters, Work work) {
        var tokens = TOKENS_PER_PARAMETER * parameters;
        var data = work.dataTokens();
        return new Deserved(
                tokens,
                data == null ? null : tokens / data,
                data == null ? null : worth(tokens, data),
                data == null || work.tokens() == null ? null : worth(work.tokens(), data));
    }

    /// As how many new tokens `tokens` teach that are drawn again and again from `data` of them: U
    /// + U R* (1 - exp(-R / R*)) with R passes after the first (Muennighoff et al. 2023, eq. 5).
    static double worth(double tokens, double data) {
        var again = tokens / data - 1;
        return again <= 0
                ? tokens
                : data + data * REPETITIONS * (1 - Math.exp(-again / REPETITIONS));
    }

    private static Estimate estimate(
            Hardware.Kind kind,
            Work work,
            double flopsPerToken,
            boolean bf16,
            long memory,
            Here here,
            @Nullable Double pricePerKwh) {
        var isHere = kind.name().equals(Hardware.HERE);
        var attainable = kind.attainable(bf16);
        Double rate =
                isHere
                        ? here.tokensPerSecond()
                        : attainable > 0 ? Double.valueOf(attainable / flopsPerToken) : null;
        Double seconds =
                rate == null || work.tokens() == null
                        ? null
                        : Double.valueOf((work.tokens() + work.before() / flopsPerToken) / rate);
        var evaluation = work.evaluation();
        Double evaluating =
                seconds == null || rate == null || evaluation == null
                        ? null
                        : Double.valueOf(evaluation.operations() / flopsPerToken / rate);
        Double room =
                isHere
                        ? Double.valueOf(here.memory())
                        : kind.memoryGib() == null
                                ? null
                                : Double.valueOf(kind.memoryGib() * 0x1p30);
        var both = Estimate.sum(seconds, evaluating);
        Double energy =
                both == null || kind.watts() == null
                        ? null
                        : Double.valueOf(kind.watts() * both / 3.6e6);
        var price = both == null ? null : Largest.Prices.on(kind, pricePerKwh).of(both);
        return new Estimate(
                kind.name(),
                seconds,
                evaluating,
                isHere
                        ? here.basis()
                        : attainable > 0 ? "a share of its peak" : "no peak in the table",
                rate,
                room == null || room <= 0 ? null : Boolean.valueOf(memory <= room),
                energy,
                price);
    }

    /// What it takes on the machine that runs this program.
    public Estimate here() {
        return machines.getFirst();
    }

    public long parameterCount() {
        return parameters.values().stream().mapToLong(n -> n).sum();
    }
}
