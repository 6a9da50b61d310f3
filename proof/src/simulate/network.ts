import type { SendRequest, SendResult } from '@keepsend/engine'
import type { TakenEvent } from '@keepsend/outbox'
import { context } from './context.ts'
import type { Choice } from './story.ts'
import { endpointOf, endpoints } from './template.ts'
import type { Owner } from './virtual-time.ts'
import type { World } from './world.ts'

const FAULTS = [
  'receiver fails',
  'receiver refuses',
  'receiver asks to wait',
  'receiver is silent',
  'answer is lost',
] as const

const STATUS = {
  well: 200,
  'receiver fails': 503,
  'receiver refuses': 400,
  'receiver asks to wait': 429,
  'answer is lost': 200,
} as const

/** Sends a request, which arrives or not, even if its sender dies; then its response, or none, within the deadline. */
export function send(
  world: World,
  owner: Owner & { name: string },
  { url, headers, deadlineMs }: SendRequest,
): Promise<SendResult> {
  const endpoint = endpointOf(url)
  const id = `${headers['webhook-id']}.${endpoint?.id}`
  const claim = context.getStore()?.delivering
  if (claim?.id !== id) throw new Error(`a request of ${id} is made under the claim of ${claim?.id}`)
  // On Cloudflare both copies of a message may be sent; on Node each claim is sent once.
  world.ledger.send(claim, { to: endpoint, once: world.story.world === 'node' })
  return new Promise((resolve) => {
    const silence = { kind: 'error', reason: 'timeout', message: 'no response' } as const
    const deadline = setTimeout(() => resolve(silence), deadlineMs)
    const answered = (result: SendResult): void => {
      clearTimeout(deadline)
      resolve(result)
    }
    const label = `a request of ${owner.name} arrives`
    world.put({ label, owner: undefined, run: (choice) => arrive(world, owner, claim, choice, answered) })
  })
}

function arrive(
  world: World,
  owner: Owner & { name: string },
  claim: TakenEvent,
  choice: Choice,
  answered: (result: SendResult) => void,
): void {
  const down = world.has('receiver is down') && claim.endpointId === endpoints[0]?.id
  const faults = FAULTS.filter((fault) => world.has(fault))
  const fate = down ? 'receiver fails' : choice.mostly('well', faults)
  if (fate === 'receiver is silent') return
  const status = STATUS[fate]
  world.ledger.arrive(claim, status)
  world.say(`${claim.id} is answered ${status}`)
  if (fate === 'answer is lost') return
  const header = (name: string): string | undefined => (status === 429 && name === 'retry-after' ? '2' : undefined)
  const result: SendResult = { kind: 'response', status, header, body: new Uint8Array() }
  world.put({ label: `${owner.name}: a response`, owner, run: () => answered(result) })
}
