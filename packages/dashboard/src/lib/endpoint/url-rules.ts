import type { Engine } from '@keepsend/engine'
import type { Reader } from '../reader/reader.ts'

/** A rule for the URLs of endpoints, and whether a URL follows it. */
export interface UrlRule {
  /** For the script, which knows the rules of the default policy; undefined under another one. */
  name: string | undefined
  said: string
  /** Undefined: nothing is typed yet, or it is no URL. */
  holds: boolean | undefined
}

type Rules = Pick<Engine, 'urlPolicy' | 'checkUrl'>

/** The rules of the policy in words, so that they are known before anything is typed. */
export function urlRulesOf({ urlPolicy, checkUrl }: Rules, typed: string, { text, language }: Reader): UrlRule[] {
  const url = URL.canParse(typed) ? new URL(typed) : undefined
  const oneOf = (names: readonly string[]): string =>
    new Intl.ListFormat(language, { type: 'disjunction' }).format(names)
  const isDefault = Object.values(urlPolicy).every((one) => one === undefined)
  const nameOf = (name: string): string | undefined => (isDefault ? name : undefined)
  const { allowHttp = false, allowPorts = allowHttp ? [80, 443, 8443] : [443, 8443] } = urlPolicy
  // Each rule by itself: the rest of the URL is replaced by parts that are allowed.
  const reasonOf = (changed: string): string | undefined => {
    const check = checkUrl(changed)
    return check.ok ? undefined : check.reason
  }
  const port = url?.port ? `:${url.port}` : ''
  const rules: UrlRule[] = [
    {
      name: nameOf('https'),
      said: text('url.https', { schemes: oneOf(allowHttp ? ['https://', 'http://'] : ['https://']) }),
      holds: url && reasonOf(typed) !== 'scheme',
    },
    {
      name: nameOf('public'),
      said: text('url.public'),
      holds: url && !['blocked_address', 'invalid_url'].includes(reasonOf(`https://${url.hostname}`) ?? ''),
    },
    {
      name: nameOf('credentials'),
      said: text('url.credentials'),
      holds: url && url.username === '' && url.password === '',
    },
  ]
  if (allowPorts !== 'any')
    rules.splice(2, 0, {
      name: nameOf('port'),
      said: text('url.port', { ports: oneOf(allowPorts.map(String)) }),
      holds: url && reasonOf(`https://${url.hostname}${port}`) !== 'port',
    })
  return rules
}
