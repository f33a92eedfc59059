import java.io.ByteArrayInputStream;
import java.io.File;
import java.security.Key;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Base64;
import javax.xml.crypto.AlgorithmMethod;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.KeySelectorResult;
import javax.xml.crypto.XMLCryptoContext;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Verifies the signature that is the last child of the root, with the JDK's XML signatures, for each file named; exit code 1 at the first that is not valid. */
public class VerifySignature {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            Document document = factory.newDocumentBuilder().parse(new File(file));
            Node signature = document.getDocumentElement().getLastChild();
            PublicKey key = certificate((Element) signature).getPublicKey();
            DOMValidateContext context = new DOMValidateContext(new KeySelector() {
                public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext in) {
                    return new KeySelectorResult() {
                        public Key getKey() {
                            return key;
                        }
                    };
                }
            }, signature);
            XMLSignature parsed = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
            if (parsed.getSignedInfo().getReferences().size() != 1 || !parsed.validate(context)) {
                System.err.println(file + ": not valid");
                System.exit(1);
            }
        }
    }

    private static X509Certificate certificate(Element signature) throws Exception {
        String text = signature.getElementsByTagNameNS(XMLSignature.XMLNS, "X509Certificate").item(0).getTextContent();
        byte[] der = Base64.getDecoder().decode(text);
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
    }
}
