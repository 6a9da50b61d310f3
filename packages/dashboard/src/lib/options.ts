import type { Engine } from '@keepsend/engine'
import type { Context } from 'hono'
import type { OwnMessages } from './language/text.ts'
import { checkPath, checkText, checkUrl } from './site/addresses.ts'

/** Who reads the dashboard. */
export interface Operator {
  /** Shown in the page, and recorded by the audit: at most 200 characters. */
  name: string
  /** `read`: looks at everything and changes nothing. `act`: may also replay, pause, change and delete. */
  role: 'read' | 'act'
}

/**
 * Finds who sends a request. A `Response`, such as a redirect to a sign-in page, is sent as it is; null: nobody, which is answered
 * with 401.
 */
export type Authorize = (c: Context) => Operator | Response | null | Promise<Operator | Response | null>

export interface DashboardOptions {
  engine: Engine
  /** The dashboard shows the payloads of every workspace, so there is no default. */
  authorize: Authorize
  /** The path it is mounted at, such as `/admin/webhooks`. @default found from each request */
  basePath?: string | undefined
  /** The name of the installation; `production` is marked. @default none */
  environment?: string | undefined
  /**
   * The address at which `createPortal` is mounted, such as `https://app.example.com/webhooks`: a new portal link is shown as a whole
   * URL. @default only its token is shown
   */
  portalUrl?: string | undefined
  /** Links of your own in the navigation. @default none */
  links?: readonly { name: string; href: string }[] | undefined
  /** Texts that replace Keepsend's, by language; a further language needs all of them. @default none */
  messages?: Readonly<Record<string, OwnMessages | undefined>> | undefined
}

const NAMES = ['engine', 'authorize', 'basePath', 'environment', 'portalUrl', 'links', 'messages']

/** @throws {TypeError} for an option that is missing, unknown or of the wrong kind */
export function checkOptions(options: DashboardOptions): void {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new TypeError(`createDashboard has no option ${name}; it has ${NAMES.join(', ')}`)
  }
  if (typeof options.authorize !== 'function')
    throw new TypeError(
      'createDashboard needs authorize, a function that returns who sends a request: the dashboard shows the payloads of every workspace',
    )
  if (typeof options.engine?.deliveries?.list !== 'function')
    throw new TypeError('createDashboard needs engine, as createEngine returns it')
  checkPath(options.basePath)
  checkUrl('portalUrl', options.portalUrl)
  checkText('environment', options.environment)
  if (options.links !== undefined && !Array.isArray(options.links))
    throw new TypeError(`links must be a list of { name, href }; found ${typeof options.links}`)
  for (const [at, link] of (options.links ?? []).entries()) {
    checkText(`links[${at}].name`, link?.name ?? null)
    checkUrl(`links[${at}].href`, link?.href ?? null)
  }
}

const MAX_NAME = 200

/** Checks what `authorize` found: the name is recorded by the audit, and the tokens of forms are bound to it. @throws {TypeError} */
export function checkOperator(operator: Operator): Operator {
  const { name, role }: { name?: unknown; role?: unknown } = operator
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME || !isStorable(name))
    throw new TypeError(
      `authorize must return a name of 1 to ${MAX_NAME} characters of well-formed text without a NUL; found ${typeof name}`,
    )
  if (role !== 'read' && role !== 'act')
    throw new TypeError(
      `authorize must return the role 'read' or 'act'; found ${typeof role === 'string' ? role.slice(0, 20) : typeof role}`,
    )
  return operator
}

/** Postgres stores neither half a character nor a NUL. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
