// SPDX-License-Identifier: MIT
// The steps of the guided tour: the state that a step sets, and what it says. `attempt` is something to try. Each
// number of the texts is checked by tests/pages/test_tour.py.

export const steps = [
	{
		id: "what",
		state: { cell: "0.0.0" },
		title: { en: "What normalization does", ko: "정규화가 하는 일" },
		text: {
			en: [
				"The grids show one tensor. Cells of the same colour and pattern are normalized " +
				"together: subtract their mean, divide by their standard deviation.",
				"Then their mean is 0 and their deviation is 1, whatever the unit was.",
				"Last comes y = γ · x̂ + β. A network learns γ and β, which begin at 1 and 0, so it " +
				"can choose any other scale and centre.",
			],
			ko: [
				"격자들은 텐서 하나를 보여 줍니다. 색과 무늬가 같은 칸들은 함께 정규화됩니다. 각 값에서 그 칸들의 평균을 빼고 표준편차로 나눕니다.",
				"그러면 단위가 무엇이었든 평균은 0, 표준편차는 1이 됩니다.",
				"마지막으로 y = γ · x̂ + β를 계산합니다. γ와 β는 1과 0에서 시작해 신경망이 학습하는 값이므로, 신경망은 알맞은 크기와 중심을 스스로 " +
				"고를 수 있습니다.",
			],
		},
		attempt: {
			en: "Point at the cells, or walk through a grid with the arrow keys, and read the lines of " +
				"arithmetic. Then set weight γ to 2 and bias β to 1: the deviation becomes 2 and the " +
				"mean 1.",
			ko: "마우스나 화살표 키로 격자의 칸을 옮겨 다니며 계산식을 읽어 보세요. 그런 다음 가중치 γ를 2로, 편향 β를 1로 바꾸어 보세요. 표준편차는 2, 평균은 " +
				"1이 됩니다.",
		},
	},
	{
		id: "kinds",
		state: { cell: "1.1.2" },
		title: { en: "Which cells share a mean", ko: "어떤 칸들이 평균을 함께 쓰나" },
		text: {
			en: [
				"The kinds differ in one thing: which cells share a mean and a variance. Batch norm " +
				"takes a channel of all samples, here 4 groups of 15 cells. Layer norm takes a whole " +
				"sample, 3 groups of 20.",
				"Instance norm takes one channel of one sample, and group norm some channels of one " +
				"sample.",
				"RMS norm has the groups of layer norm, but it subtracts no mean and divides by the " +
				"root of the mean square.",
			],
			ko: [
				"정규화의 종류를 가르는 것은 단 하나, 어떤 칸들이 평균과 분산을 함께 쓰느냐입니다. 배치 정규화는 모든 샘플에서 같은 채널을 묶습니다. 여기서는 " +
				"15칸짜리 묶음이 4개입니다. 층 정규화는 샘플 하나를 통째로 묶어, 20칸짜리 묶음이 3개입니다.",
				"인스턴스 정규화는 한 샘플의 채널 하나를, 그룹 정규화는 한 샘플의 채널 몇 개를 묶습니다.",
				"RMS 정규화의 묶음은 층 정규화와 같지만, 평균을 빼지 않고 제곱평균제곱근으로 나누기만 합니다.",
			],
		},
		attempt: {
			en: "Choose a cell: its group lights up in all five grids. Only batch norm reaches into " +
				"other samples. Then set G to 1 and to 4: group norm becomes layer norm, then " +
				"instance norm.",
			ko: "칸을 하나 골라 다섯 격자에서 함께 강조되는 칸들을 보세요. 다른 샘플에까지 걸치는 것은 배치 정규화뿐입니다. 이어서 G를 1과 4로 바꾸어 보세요. 그룹 " +
				"정규화가 층 정규화와 같아졌다가 인스턴스 정규화와 같아집니다.",
		},
	},
	{
		id: "noise",
		state: { view: "steps", batch: 2 },
		title: { en: "Small batches are noisy", ko: "작은 배치는 흔들린다" },
		text: {
			en: [
				"Batch norm measures mean and variance in each batch anew. The mean of n values " +
				"scatters by σ/√n: by 0.71 σ for 2 values, and by 0.125 σ for 64.",
				"In training this noise is in every answer: the same sample comes out differently " +
				"beside other samples. A little noise may help a network to generalize; much of it " +
				"harms.",
				"The running mean is calmer, because it averages over many batches, but it cannot " +
				"calm the batches themselves.",
			],
			ko: [
				"배치 정규화는 배치마다 평균과 분산을 새로 잽니다. 값 n개의 평균은 σ/√n만큼 흔들립니다. 값이 2개이면 0.71 σ, 64개이면 0.125 " +
				"σ입니다.",
				"학습할 때는 모든 결과에 이 잡음이 섞여, 같은 샘플도 어떤 샘플과 한 배치에 있느냐에 따라 결과가 달라집니다. 잡음이 조금이면 일반화에 도움이 " +
				"되기도 하지만, 많으면 해롭습니다.",
				"이동 평균은 여러 배치에 걸친 평균이라서 덜 흔들리지만, 배치 자체의 흔들림을 줄이지는 못합니다.",
			],
		},
		attempt: {
			en: "Raise the batch from 2 to 64 and watch the points draw together.",
			ko: "배치를 2에서 64로 늘려 점들이 모여드는 모습을 보세요.",
		},
	},
	{
		id: "one",
		state: { n: 1, l: 1, cell: "0.0.0" },
		title: { en: "A batch of one", ko: "샘플이 하나뿐인 배치" },
		text: {
			en: [
				"One sample with one position leaves batch norm a single value per channel. The mean " +
				"is that value and the variance is 0, so the answer would be 0, whatever the value. " +
				"The daemon refuses, as PyTorch does in training.",
				"Instance norm is refused too: it also needs more than one position. Layer, group " +
				"and RMS norm have the channels of the sample itself, so they answer.",
			],
			ko: [
				"위치가 하나인 샘플이 하나뿐이면, 배치 정규화에는 채널마다 값이 하나만 남습니다. 평균은 그 값 자체이고 분산은 0이므로, 어떤 값이든 결과는 0이 " +
				"될 것입니다. 그래서 데몬은 학습 중의 PyTorch처럼 계산을 거절합니다.",
				"인스턴스 정규화도 거절됩니다. 위치가 둘 이상 있어야 하기 때문입니다. 층, 그룹, RMS 정규화는 그 샘플의 채널들만으로 계산할 수 있습니다.",
			],
		},
		attempt: {
			en: "Raise N to 2. Batch norm answers, but look at its numbers: of two values, one always " +
				"becomes −1 and the other 1, however far apart they are.",
			ko: "N을 2로 늘려 보세요. 배치 정규화도 계산은 하지만, 두 값이 얼마나 떨어져 있든 하나는 −1, 다른 하나는 1이 됩니다.",
		},
	},
	{
		id: "sequences",
		state: { preset: "sentence", n: 3, c: 6, l: 7, cell: "0.0.0" },
		title: { en: "Why batch norm fails on sequences", ko: "배치 정규화가 시퀀스에 맞지 않는 까닭" },
		text: {
			en: [
				"Here are three sentences of 4, 2 and 7 words. Each word is a token with six made-up " +
				"features, and short sentences are filled up with padding, which is 0.",
				"Batch norm has one mean per feature, over all tokens of all sentences and over the " +
				"padding: 8 of 21 cells. The mean of feature 1 is 0.58; without padding it would be " +
				"0.94.",
				"Leaving the padding out is not enough: the mean still belongs to the words that " +
				"happen to be in this batch, and only the longest sentence has words at the last " +
				"positions.",
			],
			ko: [
				"단어가 4개, 2개, 7개인 문장 세 개입니다. 단어 하나가 토큰 하나이고 토큰마다 임의로 만든 특징이 6개 있으며, 짧은 문장의 남는 자리는 패딩인 " +
				"0으로 채웁니다.",
				"배치 정규화는 특징마다 모든 문장의 모든 토큰에 걸쳐 평균을 하나만 구하는데, 21칸 가운데 8칸은 패딩입니다. 특징 1의 평균은 0.58인데, " +
				"패딩이 없다면 0.94입니다.",
				"패딩을 빼더라도 평균은 여전히 이 배치에 우연히 모인 단어들의 것이고, 뒤쪽 위치에는 가장 긴 문장의 단어밖에 없습니다.",
			],
		},
		attempt: {
			en: "Set N to 8 and watch y of “I” in the line above the grids: −1.16 becomes −0.70. The " +
				"sentence is the same; its neighbours are not. Then choose the data in which padding " +
				"is left out.",
			ko: "N을 8로 바꾸고, 격자 위의 줄에서 “I”의 y를 보세요. −1.16이던 값이 −0.70이 됩니다. 문장은 그대로인데 이웃이 달라졌기 때문입니다. 이어서 " +
				"패딩을 제외한 데이터도 골라 보세요.",
		},
	},
	{
		id: "tokens",
		state: {
			preset: "padded", n: 2, c: 6, l: 4, cell: "0.0.3", kind: "layer", over: "token", show: "after",
		},
		title: { en: "Why layer norm does not: “I am a student”", ko: "층 정규화는 왜 괜찮은가: “I am a student”" },
		text: {
			en: [
				"Layer norm takes one token at a time: here, the six features of one word are a " +
				"group of their own.",
				"Before, the features of “student” have the variance 9.26, and those of “a” 0.07. " +
				"After, each token has mean 0 and variance 1, by its own numbers alone.",
				"So a token's result is the same alone or in any batch, in a sentence of any length, " +
				"in training and in inference. That is why transformers use layer norm or RMS norm.",
			],
			ko: [
				"층 정규화는 토큰을 하나씩 따로 다룹니다. 여기서는 단어 하나의 특징 6개가 한 묶음입니다.",
				"정규화하기 전에 “student”의 특징은 분산이 9.26이고 “a”의 특징은 0.07입니다. 정규화하고 나면 모든 토큰이 자기 값만으로 평균 0, " +
				"분산 1이 됩니다.",
				"그래서 토큰이 혼자 있든 어떤 배치에 있든, 문장이 길든 짧든, 학습 때든 추론 때든 결과가 같습니다. 트랜스포머가 층 정규화나 RMS 정규화를 쓰는 " +
				"까닭입니다.",
			],
		},
		attempt: {
			en: "Set N to 1, to 8, and L to 12: the numbers of “I am a student” in layer norm's grid " +
				"stay the same to the last digit, and those of batch norm do not.",
			ko: "N을 1과 8로, L을 12로 바꾸어 보세요. 층 정규화 격자에서 “I am a student”의 값은 마지막 자리까지 그대로이고, 배치 정규화의 값은 " +
				"달라집니다.",
		},
	},
	{
		id: "running",
		state: { view: "steps", batch: 8 },
		title: { en: "The moving mean and variance", ko: "이동 평균과 이동 분산" },
		text: {
			en: [
				"In training, batch norm normalizes by the mean and variance of the batch. Beside " +
				"that it keeps a moving mean and variance: new = (1 − m) · old + m · batch. With the " +
				"momentum m = 0.1, a batch weighs 10 % when it comes, and less than 1 % after 22 " +
				"more.",
				"In inference it normalizes by these two, as constants: a sample's answer depends on " +
				"no other sample, and a batch of one is fine. Layer norm has nothing to keep.",
			],
			ko: [
				"학습할 때 배치 정규화는 그 배치의 평균과 분산으로 정규화합니다. 그러면서 이동 평균과 이동 분산을 새 값 = (1 − m) · 옛 값 + m · " +
				"배치의 값으로 갱신합니다. 모멘텀 m이 0.1이면 한 배치의 비중은 처음에 10%이고, 배치가 22개 더 지나면 1%에 못 미칩니다.",
				"추론할 때는 이 두 값을 상수로 써서 정규화하므로, 결과가 다른 샘플에 좌우되지 않고 샘플이 하나여도 괜찮습니다. 층 정규화는 기록할 것이 없습니다.",
			],
		},
		attempt: {
			en: "Set the momentum to 0.5: the exponential curve follows each batch, and its noise. " +
				"Compare it with the pooled curve, which weighs all values alike.",
			ko: "모멘텀을 0.5로 바꾸어 보세요. 지수 평균 곡선이 배치마다의 잡음까지 따라갑니다. 모든 값을 똑같이 세는 합동 평균 곡선과 비교해 보세요.",
		},
	},
	{
		id: "pets",
		state: { view: "serving", preset: "pets", batch: 32, shift: 7 },
		title: { en: "Trained on cats, then dogs come", ko: "고양이로 배웠는데 개가 온다면" },
		text: {
			en: [
				"The layer has learned from cats alone, so its moving mean and variance are those of " +
				"cats. Now dogs come, whose features are all larger. The distribution of the input " +
				"has shifted while the task is the same: this is covariate shift.",
				"By the moving statistics, dogs land more than 6 deviations from 0, where the " +
				"network has never been in training. By the mean and variance of their own batch " +
				"they would land at 0 and look like cats, which is no better.",
			],
			ko: [
				"이 층은 고양이만 보고 배웠으므로, 이동 평균과 이동 분산도 고양이의 것입니다. 이제 모든 특징이 더 큰 개가 들어옵니다. 할 일은 그대로인데 입력의 " +
				"분포가 달라졌습니다. 이것을 공변량 변화라고 합니다.",
				"이동 통계량으로 정규화하면 개는 0에서 표준편차의 6배 넘게 떨어진, 신경망이 학습 때 본 적 없는 곳에 놓입니다. 그렇다고 개들만의 배치 평균과 " +
				"분산으로 정규화하면 0에 놓여 고양이처럼 보이고 맙니다.",
			],
		},
		attempt: {
			en: "Move the shift of the batch that is served back to 0, step by step, and compare the two " +
				"results.",
			ko: "추론 배치의 이동량을 조금씩 0으로 되돌리며 두 결과를 비교해 보세요.",
		},
	},
	{
		id: "penguins",
		state: { view: "serving", preset: "penguins", batch: 64, seed: 2 },
		title: { en: "Real data: penguins", ko: "실제 데이터: 펭귄" },
		text: {
			en: [
				"These are real measurements of penguins. The layer has learned from Adelie " +
				"penguins, and then Gentoo penguins come.",
				"By the moving statistics, a Gentoo's flippers are on average 4.2 deviations of an " +
				"Adelie longer, and its body is 3.0 heavier. By the mean and variance of its own " +
				"batch every average is 0, and the difference is hidden.",
			],
			ko: [
				"펭귄을 실제로 잰 데이터입니다. 이 층은 아델리펭귄으로 배웠는데, 그다음에 젠투펭귄이 들어옵니다.",
				"이동 통계량으로 정규화하면, 젠투펭귄의 날개는 평균적으로 아델리펭귄 표준편차의 4.2배만큼 더 길고 몸무게는 3.0배만큼 더 무겁습니다. 젠투펭귄만의 " +
				"배치 평균과 분산으로 정규화하면 모든 평균이 0이 되어 차이가 가려집니다.",
			],
		},
		attempt: {
			en: "Find the measurement that moved the other way: a Gentoo's bill is 2.8 deviations less " +
				"deep.",
			ko: "반대 방향으로 달라진 측정값을 찾아보세요. 젠투펭귄의 부리 두께는 표준편차의 2.8배만큼 얇습니다.",
		},
	},
	{
		id: "own",
		state: { view: "own" },
		title: { en: "Your own data, and drift", ko: "내 데이터와 드리프트" },
		text: {
			en: [
				"A daemon that serves keeps the mean and variance of what it reads, and compares " +
				"them with what the layer was trained on. The dashboard shows a verdict for each " +
				"layer: none, possible or drift.",
				"Here you can do the same with data of your own. A report compares it and changes " +
				"nothing.",
			],
			ko: [
				"추론 중인 데몬은 읽은 데이터의 평균과 분산을 기록해, 층이 학습한 데이터와 비교합니다. 대시보드는 층마다 드리프트가 없는지(none), " +
				"의심되는지(possible), 있는지(drift)를 알려 줍니다.",
				"여기서는 내 데이터로 같은 일을 할 수 있습니다. 보고서는 비교만 하고 아무것도 바꾸지 않습니다.",
			],
		},
		attempt: {
			en: "Choose a layer that has been trained, paste some numbers and use them, and ask for " +
				"a report.",
			ko: "학습된 층을 고르고, 숫자를 붙여 넣어 ‘이 텍스트 사용’을 누른 다음, 보고서를 받아 보세요.",
		},
		links: [{ href: "./", name: { en: "Open the dashboard", ko: "대시보드 열기" } }],
	},
];
