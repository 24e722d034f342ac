import java.io.FileInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Lists the entries of a zip file by streaming through it once: "name size" on each line. */
public final class ListZip {
    public static void main(String[] arguments) throws Exception {
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(arguments[0]))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                System.out.println(entry.getName() + " " + zip.readAllBytes().length);
            }
        }
    }
}
