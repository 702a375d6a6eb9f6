package dev.pinfold

import android.content.Context
import android.content.pm.ApplicationInfo
import android.content.res.XmlResourceParser
import android.os.Build
import android.security.net.config.ApplicationConfig
import android.security.net.config.CertificatesEntryRef
import android.security.net.config.NetworkSecurityConfig
import android.security.net.config.XmlConfigSource
import android.util.Xml
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.xmlpull.v1.XmlPullParser
import java.io.File
import java.io.StringReader
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.Proxy
import java.time.Instant
import java.util.Base64
import java.util.TimeZone

/**
 * What Android's own reader makes of the Network Security Configs of which the command line has a
 * reader of its own: the same file holds what both say (cli/src/network_security/mod.rs).
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], manifest = Config.NONE)
class NetworkSecurityConfigTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val app = ApplicationInfo().apply { targetSdkVersion = Build.VERSION_CODES.N }

    @Test
    fun `every config of the table is read as the table says`() {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"))
        val file = File("../../cli/tests/data/network-security-configs.json")
        val table = Json.parseToJsonElement(file.readText()).jsonObject
        val hosts = table.getValue("hosts").jsonArray.map { it.jsonPrimitive.content }
        val cases = table.getValue("cases").jsonArray.map { it.jsonObject }
        assertTrue("${cases.size}", cases.size >= 200)
        val answers = cases.map { read(it.getValue("xml").jsonPrimitive.content, hosts) }
        for ((case, answer) in cases.zip(answers)) {
            assertEquals(case["xml"].toString(), case["android"], answer)
        }
        // A table of errors alone, or of none, would show little.
        val errors = answers.count { it == JsonPrimitive("error") }
        assertTrue("$errors errors", errors in 50..answers.size - 100)
    }

    private fun read(
        xml: String,
        hosts: List<String>,
    ): JsonElement {
        val source = XmlConfigSource(context, 0, app)
        val parse =
            XmlConfigSource::class.java
                .getDeclaredMethod("parseNetworkSecurityConfig", XmlResourceParser::class.java)
        parse.isAccessible = true
        try {
            parse.invoke(source, compiled(xml))
        } catch (e: InvocationTargetException) {
            // Whatever else it throws is a fault of this test.
            val cause = e.cause
            if (cause is XmlConfigSource.ParserException) return JsonPrimitive("error")
            throw cause ?: e
        }
        val initialized = XmlConfigSource::class.java.getDeclaredField("mInitialized")
        initialized.isAccessible = true
        initialized.setBoolean(source, true)
        val config = ApplicationConfig(source)
        return JsonArray(hosts.map { answer(config.getConfigForHostname(it)) })
    }

    private fun answer(config: NetworkSecurityConfig): JsonObject {
        val pins =
            config.pins.pins.map {
                "sha256/" +
                    Base64.getEncoder().encodeToString(
                        it.digest,
                    )
            }
        val end = config.pins.expirationTime.takeIf { pins.isNotEmpty() && it != Long.MAX_VALUE }
        val refs = NetworkSecurityConfig::class.java.getDeclaredField("mCertificatesEntryRefs")
        refs.isAccessible = true
        val anchors = (refs.get(config) as List<*>).map { name(it as CertificatesEntryRef) }
        return buildJsonObject {
            // The letter case of `digest` makes two of one there.
            put("pins", JsonArray(pins.distinct().sorted().map(::JsonPrimitive)))
            put(
                "expiration",
                end?.let { JsonPrimitive(Instant.ofEpochMilli(it).toString()) } ?: JsonNull,
            )
            put("cleartext", JsonPrimitive(config.isCleartextTrafficPermitted))
            put("anchors", JsonArray(anchors.sorted().map(::JsonPrimitive)))
        }
    }

    private fun name(ref: CertificatesEntryRef): String {
        fun field(name: String) =
            CertificatesEntryRef::class.java.getDeclaredField(name).run {
                isAccessible = true
                get(ref)
            }
        val name =
            when (val kind = field("mSource")?.javaClass?.simpleName) {
                "SystemCertificateSource" -> "system"
                "UserCertificateSource" -> "user"
                "WfaCertificateSource" -> "wfa"
                "ResourceCertificateSource" -> "@"
                else -> error("$kind")
            }
        return if (field("mOverridesPins") == true) "$name!" else name
    }

    /**
     * A parser as Android has it of what aapt2 has compiled: text that is only blank is not there,
     * and booleans, numbers and resources are what aapt2 has made of them.
     */
    private fun compiled(xml: String): XmlResourceParser {
        val parser = Xml.newPullParser()
        parser.setFeature(XmlPullParser.FEATURE_PROCESS_NAMESPACES, true)
        parser.setInput(StringReader(xml))

        fun value(arguments: Array<out Any?>): String? =
            when (val first = arguments[0]) {
                is Int -> parser.getAttributeValue(first)
                else -> parser.getAttributeValue(first as String?, arguments[1] as String)
            }
        return Proxy.newProxyInstance(
            XmlResourceParser::class.java.classLoader,
            arrayOf(XmlResourceParser::class.java),
        ) { _, method, given ->
            val arguments = given ?: emptyArray()
            when (method.name) {
                "close" -> {
                    Unit
                }

                "next" -> {
                    next(parser)
                }

                "getAttributeBooleanValue" -> {
                    value(arguments)?.let(::boolean) ?: arguments.last() as Boolean
                }

                "getAttributeResourceValue" -> {
                    if (value(arguments)?.startsWith("@") == true) 0x7f010000 else arguments.last()
                }

                else -> {
                    try {
                        XmlPullParser::class.java
                            .getMethod(method.name, *method.parameterTypes)
                            .invoke(parser, *arguments)
                    } catch (e: InvocationTargetException) {
                        throw e.cause ?: e
                    }
                }
            }
        } as XmlResourceParser
    }

    private fun next(parser: XmlPullParser): Int {
        while (true) {
            val event = parser.next()
            if (event != XmlPullParser.TEXT || parser.text.isNotBlank()) return event
        }
    }

    /** As `ResourceUtils` of aapt2 reads an attribute of which it knows nothing. */
    private fun boolean(text: String): Boolean? =
        when (val word = text.trim()) {
            "true", "True", "TRUE" -> true
            "false", "False", "FALSE" -> false
            else -> word.toIntOrNull()?.let { it != 0 }
        }
}
