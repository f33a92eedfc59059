import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.security.auth.x500.X500Principal;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;

/**
 * Signs letters twice with javax.xml.crypto: FOLDER COUNT.
 *
 * FOLDER holds letters/N.xml, seal.xml and the keys, as benches/peers/main.rs writes them. The last letter is kept as
 * SignedDelivery and SealedDelivery for a verifier.
 */
public class Sign {
    private static final XMLSignatureFactory XML = XMLSignatureFactory.getInstance("DOM");

    private record Party(PrivateKey key, KeyInfo info) {
        static Party load(Path folder, String name) throws Exception {
            String pem = Files.readString(folder.resolve(name + ".key.pem"));
            byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----.*?-----", ""));
            PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
            X509Certificate certificate;
            try (var file = Files.newInputStream(folder.resolve(name + ".crt.pem"))) {
                certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
            }
            KeyInfoFactory infos = XML.getKeyInfoFactory();
            String subject = certificate.getSubjectX500Principal()
                    .getName(X500Principal.RFC2253, Map.of("2.5.4.5", "serialNumber"));
            return new Party(key, infos.newKeyInfo(List.of(infos.newX509Data(List.of(subject, certificate)))));
        }

        void sign(Document document) throws Exception {
            Transform enveloped = XML.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null);
            DigestMethod sha256 = XML.newDigestMethod(DigestMethod.SHA256, null);
            Reference all = XML.newReference("", sha256, List.of(enveloped), null, null);
            SignedInfo signed = XML.newSignedInfo(
                    XML.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                    XML.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null),
                    List.of(all));
            XML.newXMLSignature(signed, info).sign(new DOMSignContext(key, document.getDocumentElement()));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        int count = Integer.parseInt(arguments[1]);
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        DocumentBuilder parser = factory.newDocumentBuilder();
        Transformer writer = TransformerFactory.newInstance().newTransformer();
        Party sender = Party.load(folder, "sender");
        Party mediator = Party.load(folder, "mediator");
        byte[] seal = Files.readAllBytes(folder.resolve("seal.xml"));
        byte[] inner = {};
        byte[] outer = {};
        for (int number = 0; number < count; number++) {
            byte[] letter = Files.readAllBytes(folder.resolve("letters/" + number + ".xml"));
            Document signed = parser.parse(new ByteArrayInputStream(letter));
            sender.sign(signed);
            inner = write(writer, signed);
            Document sealed = parser.parse(new ByteArrayInputStream(seal));
            var root = sealed.getDocumentElement();
            root.insertBefore(sealed.importNode(signed.getDocumentElement(), true), root.getFirstChild());
            mediator.sign(sealed);
            outer = write(writer, sealed);
        }
        Files.write(folder.resolve("SignedDelivery.java.xml"), inner);
        Files.write(folder.resolve("SealedDelivery.java.xml"), outer);
        System.out.println(count);
    }

    private static byte[] write(Transformer writer, Document document) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        writer.transform(new DOMSource(document), new StreamResult(bytes));
        return bytes.toByteArray();
    }
}
