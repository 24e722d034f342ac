import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.SignatureException;
import java.security.SignatureSpi;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.xml.security.Init;
import org.apache.xml.security.signature.XMLSignature;
import org.apache.xml.security.signature.XMLSignatureInput;
import org.apache.xml.security.utils.resolver.ResourceResolverContext;
import org.apache.xml.security.utils.resolver.ResourceResolverSpi;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Verifies signature documents with Apache Santuario, secure validation on.
 *
 * Each line of standard input names a document, the URI it refers to and the file with the octets of
 * that URI, separated by tabs; each line of standard output answers "valid", "invalid" or the error.
 */
public final class VerifySignature {
    private static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    private static final String XADES = "http://uri.etsi.org/01903/v1.3.2#";

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new PssProvider());
        Init.init();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t");
            System.out.println(verdict(fields[0], fields[1], fields[2]));
        }
    }

    private static String verdict(String document, String uri, String data) {
        try {
            return verify(new File(document), uri, Path.of(data)) ? "valid" : "invalid";
        } catch (Exception error) {
            return error.toString().replace('\n', ' ');
        }
    }

    private static boolean verify(File file, String uri, Path data) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().parse(file);
        NodeList properties = document.getElementsByTagNameNS(XADES, "SignedProperties");
        ((Element) properties.item(0)).setIdAttribute("Id", true);
        Element element = (Element) document.getElementsByTagNameNS(DS, "Signature").item(0);
        XMLSignature signature = new XMLSignature(element, "", true);
        signature.addResourceResolver(new OneFile(uri, data));
        return signature.checkSignatureValue(signature.getKeyInfo().getX509Certificate());
    }

    /** Resolves one URI to the raw octets of a file. */
    private static final class OneFile extends ResourceResolverSpi {
        private final String uri;
        private final Path data;

        OneFile(String uri, Path data) {
            this.uri = uri;
            this.data = data;
        }

        @Override
        public boolean engineCanResolveURI(ResourceResolverContext context) {
            return uri.equals(context.uriToResolve);
        }

        @Override
        public XMLSignatureInput engineResolveURI(ResourceResolverContext context) {
            try {
                return new XMLSignatureInput(Files.readAllBytes(data));
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        }
    }

    /** Gives the JDK's RSASSA-PSS the names by which Santuario asks for it. */
    private static final class PssProvider extends Provider {
        PssProvider() {
            super("PssNames", "1", "SHA*withRSAandMGF1 by the JDK's RSASSA-PSS");
            for (String bits : new String[] {"256", "384", "512"}) {
                put("Signature.SHA" + bits + "withRSAandMGF1", Pss.class.getName() + bits);
            }
        }
    }

    /** PSS with MGF1 and a salt, both by and of the size of one digest. */
    public abstract static class Pss extends SignatureSpi {
        private final Signature signature;

        protected Pss(String digest, int size) throws Exception {
            signature = Signature.getInstance("RSASSA-PSS");
            MGF1ParameterSpec mask = new MGF1ParameterSpec(digest);
            signature.setParameter(new PSSParameterSpec(digest, "MGF1", mask, size, 1));
        }

        @Override
        protected void engineInitVerify(PublicKey key) throws InvalidKeyException {
            signature.initVerify(key);
        }

        @Override
        protected void engineUpdate(byte octet) throws SignatureException {
            signature.update(octet);
        }

        @Override
        protected void engineUpdate(byte[] data, int start, int size) throws SignatureException {
            signature.update(data, start, size);
        }

        @Override
        protected boolean engineVerify(byte[] value) throws SignatureException {
            return signature.verify(value);
        }

        @Override
        protected void engineInitSign(PrivateKey key) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected byte[] engineSign() {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void engineSetParameter(String name, Object value) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void engineSetParameter(AlgorithmParameterSpec parameters) {
            if (parameters != null) {
                throw new UnsupportedOperationException();
            }
        }

        @Override
        protected AlgorithmParameters engineGetParameters() {
            return null;
        }

        @Override
        protected Object engineGetParameter(String name) {
            return null;
        }
    }

    /** PSS with SHA-256. */
    public static final class Pss256 extends Pss {
        public Pss256() throws Exception {
            super("SHA-256", 32);
        }
    }

    /** PSS with SHA-384. */
    public static final class Pss384 extends Pss {
        public Pss384() throws Exception {
            super("SHA-384", 48);
        }
    }

    /** PSS with SHA-512. */
    public static final class Pss512 extends Pss {
        public Pss512() throws Exception {
            super("SHA-512", 64);
        }
    }
}
