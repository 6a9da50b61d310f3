// A customer opens a one-time link, and brings an endpoint into service.
import { afterAll, expect, it } from 'vitest'
import { launchChromium } from './chromium.ts'
import { submit } from './forms.ts'
import { writeStoryFile } from './installation.ts'
import { openPortalInstallation } from './portal.ts'
import { openWindow } from './visitor.ts'

const WORKSPACE = 'acme-freight'

const story = await writeStoryFile()
const browser = await launchChromium()

afterAll(async () => {
  await browser.close()
  story.remove()
})

it.each([true, false])(
  'adds, tests, rotates, disables and enables an endpoint; JavaScript: %s',
  async (javaScriptEnabled) => {
    const installation = await openPortalInstallation(story)
    const { engine, portalUrl } = installation
    try {
      const { page, faults } = await openWindow(browser, { javaScriptEnabled })
      const link = await installation.linkTo(WORKSPACE, 'once')
      await page.goto(link)
      expect(await submit(page, page.getByRole('button', { name: 'Open webhooks' }))).toEqual({ sent: 303, shown: 200 })
      expect(page.url()).toBe(portalUrl)

      const path = `/customer-${javaScriptEnabled}`
      await page.goto(`${portalUrl}/endpoints/new`)
      await page.locator('input[name=url]').fill(story.receivers.url + path)
      await submit(page, page.locator('button.primary[value=save]'))
      const added = (await engine.endpoints.list(WORKSPACE, { limit: 100 })).find(({ url }) => url.endsWith(path))
      expect(added).toMatchObject({ status: 'enabled' })
      const endpointUrl = `${portalUrl}/endpoints/${added?.id}`

      await page.goto(`${endpointUrl}/test`)
      await submit(page, page.getByRole('button', { name: 'Send test' }))
      await page.getByText('200 OK').first().waitFor()
      expect(story.receivers.requests.filter((request) => request.path === path)).toHaveLength(1)

      await page.goto(`${endpointUrl}/secret`)
      await submit(page, page.locator('button[value=rotate]'))
      expect(await engine.endpoints.secrets(WORKSPACE, added?.id ?? '')).toHaveLength(2)

      await page.goto(`${endpointUrl}/disable`)
      await submit(page, page.getByRole('button', { name: 'Disable endpoint' }))
      expect(await engine.endpoints.get(WORKSPACE, added?.id ?? '')).toMatchObject({ status: 'disabled' })
      await page.goto(`${endpointUrl}/settings`)
      await submit(page, page.getByRole('button', { name: 'Enable' }).first())
      expect(await engine.endpoints.get(WORKSPACE, added?.id ?? '')).toMatchObject({ status: 'enabled' })
      expect(faults()).toEqual([])

      const other = await openWindow(browser, { javaScriptEnabled })
      expect((await other.page.goto(link))?.status()).toBe(410)
    } finally {
      await installation.stop()
    }
  },
)
