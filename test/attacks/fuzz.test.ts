import { fuzzEveryRoute } from './fuzz.js'

fuzzEveryRoute(2_000)
