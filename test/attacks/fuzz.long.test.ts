import { fuzzEveryRoute } from './fuzz.js'

fuzzEveryRoute(process.env.SOAK ? 200_000 : 20_000)
