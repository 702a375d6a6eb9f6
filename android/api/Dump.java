import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import org.jetbrains.kotlin.abi.tools.AbiFilters;
import org.jetbrains.kotlin.abi.tools.AbiToolsFactory;

/** Prints what of a folder of classes is public; Java runs this file as it is. */
public class Dump {
    /** Generated, and no API of ours. */
    private static final Set<String> INTERNAL = Set.of("dev.pinfold.internal.**");

    public static void main(String[] arguments) throws IOException {
        List<File> classes;
        try (var files = Files.walk(Path.of(arguments[0]))) {
            classes = files.filter(file -> file.toString().endsWith(".class")).sorted().map(Path::toFile).toList();
        }
        var tools = ServiceLoader.load(AbiToolsFactory.class).iterator().next().get();
        var dump = new StringBuilder();
        tools.printJvmDump(dump, classes, new AbiFilters(Set.of(), INTERNAL, Set.of(), Set.of()));
        System.out.print(dump);
    }
}
