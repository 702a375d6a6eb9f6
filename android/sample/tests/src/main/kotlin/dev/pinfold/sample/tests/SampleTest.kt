package dev.pinfold.sample.tests

import android.widget.EditText
import android.widget.Switch
import android.widget.TextView
import androidx.test.platform.app.InstrumentationRegistry
import androidx.test.uiautomator.By
import androidx.test.uiautomator.BySelector
import androidx.test.uiautomator.UiDevice
import androidx.test.uiautomator.UiObject2
import androidx.test.uiautomator.Until
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Test
import java.util.regex.Pattern

/**
 * Uses the app as a person does, with a network. Nothing is replaced: not the app, whichever build
 * it is, nor the servers. Pins and keys are those of `make-pins`, and `serve` has to run.
 */
class SampleTest {
    private val device = UiDevice.getInstance(InstrumentationRegistry.getInstrumentation())
    private val isDebug = BuildConfig.BUILD_TYPE == "debug"

    @Before
    fun startAnew() {
        shell("pm clear $APP")
        start()
    }

    @Test
    fun allowsAServerWhoseAuthorityIsPinned() {
        val verdict = send("https://www.google.com/generate_204")
        assertContains(verdict, "Allowed: HTTP 204")
        assertContains(verdict, "pinned for google.com")
    }

    @Test
    fun refusesAServerWhosePinsDoNotFitAndNamesItsIssuer() {
        val verdict = send("https://www.android.com/")
        assertContains(verdict, "Refused")
        assertContains(verdict, "pin_mismatch")
        assertContains(verdict, "Issued by")
        assertContains(verdict, "Google Trust Services")
    }

    @Test
    fun refusesAHostThatThePinSetDoesNotName() {
        assertContains(send("https://example.com/"), "host_not_pinned")
    }

    @Test
    fun simulatesInterceptionInTheDebugBuildAndNowhereElse() {
        find(By.text("Send"))
        val switch = device.findObject(By.clazz(Switch::class.java))
        assertEquals(isDebug, switch != null)
        assumeTrue(isDebug)
        switch.click()
        // Pinned, as the first test shows.
        assertContains(send("https://www.google.com/generate_204"), "pin_mismatch")
    }

    @Test
    fun putsAnUpdateIntoForceAndKeepsItWhereNoBackupTakesIt() {
        assumeTrue(isDebug)
        look()
        find("Pin set 2 \\(root 1, epoch 0\\), fresh.*Last event: pin set 2 is in force.*")
        assertContains(shell("run-as $APP ls no_backup/pinfold"), "pinset")

        shell("am force-stop $APP")
        start()
        find("Pin set 2 \\(.*")
    }

    @Test
    fun tellsOfAnUpdateThatCannotBeHad() {
        // The release build does not know the way to `serve`.
        assumeTrue(!isDebug)
        look()
        find("Pin set 1 \\(.*Last error: unavailable.*Last event: no update could be had.*")
        assertContains(send("https://www.google.com/generate_204"), "Allowed")
    }

    private fun start() {
        shell("am start -W -n $APP/.MainActivity")
        find("Pin set \\d.*")
    }

    private fun send(url: String): String {
        find(By.clazz(EditText::class.java)).text = url
        find(By.text("Send")).click()
        return find("(Allowed|Refused|Failed).*").text
    }

    private fun look() {
        find(By.text("Look for updates").enabled(true)).click()
    }

    private fun find(text: String) = find(By.text(Pattern.compile(text, Pattern.DOTALL)))

    private fun find(selector: BySelector): UiObject2 {
        // Longer than the client's timeout.
        return device.wait(Until.findObject(selector), 60_000) ?: throw AssertionError(
            "no $selector in ${device.findObjects(By.clazz(TextView::class.java)).map { it.text }}",
        )
    }

    private fun shell(command: String): String = device.executeShellCommand(command)

    private fun assertContains(
        text: String,
        part: String,
    ) = assertTrue("$part in: $text", part in text)

    private companion object {
        const val APP = "dev.pinfold.sample"
    }
}
