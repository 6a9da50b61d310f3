import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const PACKAGE = '@sparticuz/chromium'
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking']

/**
 * The path of a Chromium: of `KEEPSEND_CHROMIUM`, of the system, or of the npm package `@sparticuz/chromium` if that is installed.
 *
 * @throws {Error} if there is none, with the ways to get one
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = env['KEEPSEND_CHROMIUM']
  if (given !== undefined) {
    if (existsSync(given)) return given
    throw new Error(`KEEPSEND_CHROMIUM must be the path of a Chromium; found ${given}, where no file is`)
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
  return found ?? (await ofPackage()) ?? fail()
}

async function ofPackage(): Promise<string | undefined> {
  try {
    const { default: sparticuz } = (await import(PACKAGE)) as { default: { executablePath(): Promise<string> } }
    return await sparticuz.executablePath()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

function fail(): never {
  throw new Error(
    `pnpm test:browser needs a Chromium, and found none (${NAMES.join(', ')}). Install one, such as with "apt-get install -y chromium", or set KEEPSEND_CHROMIUM to its path`,
  )
}

/** Starts it with an empty profile, which is removed when it is closed. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: await findChromium(), args: ARGUMENTS })
}
