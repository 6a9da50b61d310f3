import type { Engine } from '@keepsend/engine'
import type { OwnMessages } from '../language/text.ts'
import { checkPath, checkUrl } from '../site/addresses.ts'
import { type Brand, checkBrand } from './brand.ts'

export interface PortalOptions {
  engine: Engine
  /** The name of the sender, which stands on every page: at most 60 characters. */
  name: string
  /** Where the button "Back to …" leads, unless a link has an address of its own. @default no button */
  returnUrl?: string | undefined
  /** The name of a customer, in the foot of the pages. @default none */
  workspaceName?: ((workspaceId: string) => string | Promise<string>) | undefined
  /** Logo, colours, corners and font. @default Keepsend's design, without a logo */
  brand?: Brand | undefined
  /** The origins whose pages may show the portal in a frame, such as `https://app.example.com`. @default none */
  frameAncestors?: readonly string[] | undefined
  /** Where customers read how signatures are verified. @default the documentation of Standard Webhooks */
  verifyingUrl?: string | undefined
  /** The path it is mounted at, such as `/webhooks`. @default found from each request */
  basePath?: string | undefined
  /** Texts that replace Keepsend's, by language; a further language needs all of them. @default none */
  messages?: Readonly<Record<string, OwnMessages | undefined>> | undefined
  /** Sets cookies over http too, for a server on localhost. @default false */
  development?: boolean | undefined
}

const NAMES = [
  'engine',
  'name',
  'returnUrl',
  'workspaceName',
  'brand',
  'frameAncestors',
  'verifyingUrl',
  'basePath',
  'messages',
  'development',
]
const MAX_NAME = 60

/** @throws {TypeError} for an option that is missing, unknown or of the wrong kind */
export function checkPortalOptions(options: PortalOptions): void {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new TypeError(`createPortal has no option ${name}; it has ${NAMES.join(', ')}`)
  }
  const { engine, name, basePath, brand, frameAncestors = [], workspaceName, development } = options
  if (typeof engine?.portalLinks?.session !== 'function')
    throw new TypeError('createPortal needs engine, as createEngine returns it')
  if (typeof name !== 'string' || name.trim() === '' || name.length > MAX_NAME)
    throw new TypeError(`createPortal needs name, the name of the sender: 1 to ${MAX_NAME} characters`)
  checkPath(basePath)
  for (const url of ['returnUrl', 'verifyingUrl'] as const) checkUrl(url, options[url])
  if (!Array.isArray(frameAncestors))
    throw new TypeError(`frameAncestors must be a list of origins; found ${typeof frameAncestors}`)
  for (const origin of frameAncestors) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new TypeError(`frameAncestors must be origins such as https://app.example.com; found ${origin}`)
  }
  if (workspaceName !== undefined && typeof workspaceName !== 'function')
    throw new TypeError(`workspaceName must be a function of the workspace id; found ${typeof workspaceName}`)
  // Any text would be true, and would send cookies over http.
  if (development !== undefined && typeof development !== 'boolean')
    throw new TypeError(`development must be true or false; found ${JSON.stringify(development)}`)
  if (brand !== undefined) checkBrand(brand)
}
