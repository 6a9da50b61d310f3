import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'

/** A reader with a browser window, and all that went wrong in it. */
export interface Visitor {
  page: Page
  /** Errors of the console, of scripts and of the policy, since the last call. */
  faults: () => string[]
  /** Bytes that came over the network for the pages since the last call, head and body. */
  transferred: () => Promise<number>
}

/** Opens a window with an empty profile, which is closed after the test. */
export async function openWindow(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  let faults: string[] = []
  let sizes: Promise<number>[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`))
  page.on('requestfinished', (request) => {
    sizes.push(
      request.sizes().then(
        ({ responseHeadersSize, responseBodySize }) => responseHeadersSize + responseBodySize,
        (error: unknown) => {
          // Nobody asks for the bytes of a window that was closed.
          if (page.isClosed()) return 0
          throw error
        },
      ),
    )
  })
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`the policy refused ${blockedURI} (${violatedDirective})`),
    )
  })
  return {
    page,
    faults() {
      const since = faults
      faults = []
      return since
    },
    async transferred() {
      const since = await Promise.all(sizes)
      sizes = []
      return since.reduce((sum, size) => sum + size, 0)
    },
  }
}

/** By how many pixels a page is wider than its window. */
export async function sidewaysPixels(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
