package dev.espalier.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/// The rules of the architecture that the command line is under.
class ArchitectureTest {
    @Test
    void theCommandLineLeavesTensorsAndTheirMemoryToTheLibrary() {
        var classes =
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages("dev.espalier.cli");
        // An import that finds nothing would keep every rule.
        assertThat(classes.size()).isGreaterThan(30);
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.bytedeco..", "java.lang.reflect..")
                .check(classes);
        noClasses()
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("dev.espalier.torch.Scope")
                .check(classes);
    }
}
