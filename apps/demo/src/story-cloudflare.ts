// `pnpm demo:cloudflare`: the story in workerd, with D1 and Queues, by `wrangler dev`. `--short` for a test's patience.
import { cloudflareStage } from './stage-cloudflare.ts'
import { tellStory } from './telling.ts'

await tellStory(cloudflareStage({ short: process.argv.includes('--short') }))
