import { EngineError } from '../errors.ts'
import type { UrlPolicy } from './check-url.ts'

/**
 * The policy of an engine and its sender. With different policies, the engine could accept a URL whose deliveries the sender would all refuse.
 */
export function commonPolicy({
  urlPolicy,
  sender,
}: {
  urlPolicy?: UrlPolicy | undefined
  sender?: { urlPolicy?: UrlPolicy | undefined } | undefined
}): UrlPolicy {
  const ofSender = sender?.urlPolicy
  if (urlPolicy && ofSender && JSON.stringify(urlPolicy) !== JSON.stringify(ofSender)) {
    throw new EngineError(
      'invalid_option',
      `urlPolicy must equal the policy of the sender: pass it to the sender only; found ${JSON.stringify(urlPolicy)} and ${JSON.stringify(ofSender)}`,
    )
  }
  return urlPolicy ?? ofSender ?? {}
}
